// For the unit tests of a plugin: a whole host in the test's own process, with the real .so, on the
// embedded drivers. Commands go in as a producer sends them; outcomes, events and what the database
// holds come out. Link iq_testkit; works with any test framework.
//
//   iq::testkit::Host host({.plugins = {"build/hello.so"}, .schema = {"CREATE TABLE greeted
//   (…)"}}); const auto outcome = host.Send(R"({"type":"hello","name":"Ada"})");
//   EXPECT_EQ(outcome.outcome, "done");
//   EXPECT_EQ(host.Query("SELECT count(*) FROM greeted"), (iq::testkit::Rows{{"1"}}));
//
// The database is SQLite: a handler's HandleBatch, whose array parameters only PostgreSQL has, is
// not called here.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#if defined(__GNUC__)
#define IQ_TESTKIT_API __attribute__((visibility("default")))
#define IQ_TESTKIT_OWN __attribute__((visibility("hidden")))
#else
#define IQ_TESTKIT_API
#define IQ_TESTKIT_OWN
#endif

namespace iq::testkit {

struct Options {
  std::vector<std::string> plugins;  // Paths of .so files.
  // By plugin name, then by key, as under plugins.settings of the configuration.
  std::map<std::string, std::map<std::string, std::string>> settings{};
  // Scripts in SQLite's dialect, run in their order before the host starts: the plugin's tables.
  std::vector<std::string> schema{};
  // How often a command is tried that asks for it or fails; the last try decides its outcome.
  std::uint32_t attempts = 1;
};

struct Event {
  std::string name;
  std::string id;    // The same each time that it is published.
  std::string data;  // A JSON object.
};

// How a command ended, as its producer is told.
struct Outcome {
  std::string outcome;  // "done", "rejected", "invalid", "retry" or "failed".
  std::string code;     // Empty when done.
  std::string reason;
  std::vector<Event> events;
};

// NULL is nullopt; everything else in SQLite's text form.
using Row = std::vector<std::optional<std::string>>;
using Rows = std::vector<Row>;

enum class SqlFault {
  kError,      // The statement is at fault: the command fails with sql_error.
  kConflict,   // Another transaction was in the way: the host runs the command again.
  kDuplicate,  // A unique constraint.
};

// Not thread-safe. Its files lie in a directory of their own, which goes with it. What the host
// logs from warnings on appears on stderr. Whatever cannot be done throws std::runtime_error that
// says why: a plugin that is refused, SQL that fails, a command without an outcome within 30 s.
class IQ_TESTKIT_API Host {
 public:
  explicit Host(Options options);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host();

  // Sends one command and waits for its outcome. Without an `id` it gets one of its own.
  Outcome Send(std::string_view body, std::string_view id = {});

  // Sends them at once, so that the host finds them together; outcomes in the order of the bodies.
  std::vector<Outcome> SendTogether(const std::vector<std::string>& bodies);

  // Sends the last command again, with its id: what a broker does that has not got the ack.
  Outcome Redeliver();

  // Returns when the listeners are through with every event published so far: each has taken
  // effect, or is in the dead-letter queue after `attempts` of them.
  void AwaitListeners();

  // On a connection of the test's own.
  void Sql(std::string_view script);
  Rows Query(std::string_view sql);

  // Every event published so far, in the order of arrival; copies too.
  std::vector<Event> Events();

  // What iq::Context::now() gives from now on. Before the first call it is the real time.
  void SetTime(std::chrono::system_clock::time_point now);

  // Takes a lock key as another host would, until it is released: commands that need it end with
  // "lock_busy".
  void HoldLock(const std::string& key);
  void ReleaseLocks();

  // The next `times` statements of a plugin that contain `text` fail instead of being run.
  void FailSql(std::string text, SqlFault fault = SqlFault::kError, int times = 1);

 private:
  struct IQ_TESTKIT_OWN State;
  std::unique_ptr<State> state_;
};

}  // namespace iq::testkit
