// The database: libpq in pipeline mode, arrays in and rows out in binary.
#pragma once

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/peers/floor/command.h"

namespace iq::bench::floor {

// A journal row of a command that was decided before.
struct Recalled {
  Verdict verdict;
  std::string payload_hash;
};

// Commands of one kind with disjoint keys.
struct Group {
  Kind kind;
  std::vector<Command*> commands;
};

// A Send is answered by the Read of the same name, in the same order; other servers can be asked
// in between. Every failure throws std::runtime_error.
class Store {
 public:
  explicit Store(const std::string& url);

  // The journal rows of those of the commands that have one.
  void SendRecall(std::span<Command* const> commands);
  std::map<Uuid, Recalled> ReadRecall();

  // Begins a transaction and carries out the groups in their order.
  void SendEffects(std::span<const Group> groups);
  std::vector<std::vector<Effect>> ReadEffects(std::span<const Group> groups);

  // Records the commands, which have their verdicts, and commits. False when another process has
  // just recorded one of them: then everything is rolled back.
  void SendCommit(std::span<Command* const> commands);
  bool ReadCommit();

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using Result = std::unique_ptr<PGresult, Clear>;

  [[noreturn]] void Fail(const Result& result) const;
  void Send(const char* statement, std::span<const std::string> parameters);
  void SendText(const char* sql);
  void Sync();
  // The result of the next statement, which must have succeeded.
  Result Read();
  Result ReadAny();
  void ReadSync();

  std::unique_ptr<PGconn, Finish> connection_;
  Uuid worker_ = RandomUuid();
  std::int64_t batch_ = 0;
};

}  // namespace iq::bench::floor
