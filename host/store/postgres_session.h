// A transaction on one PostgreSQL connection: when it is open, broken or gone, whether it may have
// been committed, and which failure is whose.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "host/base/outage.h"
#include "host/store/parameters.h"
#include "host/store/postgres_audit.h"
#include "host/store/postgres_connection.h"
#include "host/store/postgres_journal.h"
#include "host/store/postgres_migrations.h"
#include "host/store/store.h"

namespace iq {

// Statements go out in stretches that end with a sync, not a flush: only after a sync does the
// server report the transaction's state, and only then does its idle_in_transaction_session_timeout
// free the rows of a host that was stopped in mid-transaction.
class PostgresSession final : public Session {
 public:
  // `name` is the server's, for messages.
  PostgresSession(std::string name, std::string url, std::chrono::milliseconds statement_max);

  void Begin() override;
  Rows Query(std::string_view sql, std::span<const iq_value> args) override;
  void Execute(std::string_view sql, std::span<const iq_value> args) override;
  // Outside a transaction: sends a statement that looks up rows by an indexed key, without waiting.
  // It is planned once for all values, and never to read a whole table. Answer() returns its rows;
  // whatever else is called next drops them.
  void Ask(std::string_view sql, std::span<const iq_value> args);
  Rows Answer();
  void SetDeadline(std::chrono::steady_clock::time_point deadline) override;
  void Commit() override;
  void Rollback() noexcept override;
  std::uint64_t writes() const override { return writes_; }
  bool InTransaction() const override;
  std::chrono::milliseconds UntilNextAttempt() const override;
  std::uint64_t RunScript(std::string_view sql) override;
  ServerFacts Facts() override;
  JournalTable& journal() override { return journal_; }
  MigrationTable& migrations() override { return migrations_; }
  AuditTable& audit() override { return audit_; }

 private:
  enum class Phase {
    kIdle,    // No transaction.
    kOpen,    // Begin was called.
    kFailed,  // A statement failed; failure_ is why.
    kLost,    // The connection went away in mid-transaction. Nothing runs until the caller has seen
              // that its transaction is gone, which Rollback, Commit or the next Begin acknowledge.
  };
  // A statement that was queued and whose result has not been read.
  struct Step {
    enum class Kind { kControl, kPrepare, kStatement, kCommit, kSync };
    Kind kind = Kind::kSync;
    const std::string* prepared = nullptr;  // A key of prepared_.
  };
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using Prepared = std::unordered_map<std::string, std::string, TextHash, std::equal_to<>>;

  template <typename Work>
  auto OnConnection(Work work);
  void RequireUsable();
  void RequireConnection();
  void SendStatement(std::string_view sql, std::span<const iq_value> args);
  void SendControl(const std::string& sql, Step::Kind kind);
  void Sync();
  Result Drain();
  Result ReadResults();
  void DropAnswer();
  void Note(const Step& step, Result result, Result& answer);
  void NoteError(const Step& step, const Result& error);
  void Forget(const Step& step);
  void FinishCommit();
  [[noreturn]] void RollBackAndThrow(StoreError failure);
  void ThrowFailure();
  [[noreturn]] void Fail(StoreError failure);
  [[noreturn]] void FailAtDeadline(const ConnectionLost& lost);
  [[noreturn]] void Lose(const ConnectionLost& lost);
  [[noreturn]] void ThrowUnavailable() const;
  void Disconnect(const ConnectionLost& lost);
  void DropConnection();

  const std::string name_;
  const std::string url_;
  const std::chrono::milliseconds statement_max_;
  Outage outage_;
  ConnectionLost outage_cause_{"it was never connected"};
  std::optional<PostgresConnection> connection_;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();

  Phase phase_ = Phase::kIdle;
  std::optional<StoreError> failure_;  // The first since Begin.
  bool ended_by_statement_ = false;    // A statement, not the host, ended the transaction.
  bool commit_unknown_ = false;        // COMMIT may have reached the server, without an answer yet.
  bool committed_ = false;
  std::uint64_t writes_ = 0;

  std::deque<Step> steps_;
  std::size_t unread_statements_ = 0;
  std::size_t unread_bytes_ = 0;  // Of parameters.
  Parameters parameters_;
  Prepared prepared_;  // Statement text to its name at the server.
  std::uint64_t prepared_count_ = 0;

  PostgresJournal journal_{*this};
  PostgresMigrations migrations_{*this};
  PostgresAudit audit_{*this};
};

}  // namespace iq
