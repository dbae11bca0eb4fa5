// A transaction on one SQLite file: when it is open, broken or gone, whether it may have been
// committed, and which failure is whose.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "host/base/outage.h"
#include "host/store/sqlite_audit.h"
#include "host/store/sqlite_connection.h"
#include "host/store/sqlite_journal.h"
#include "host/store/sqlite_migrations.h"
#include "host/store/store.h"

namespace iq {

// A transaction has the file's only turn to write from Begin on, so that nothing in it can meet a
// conflict. A file that is full, read-only, moved away or in use for too long is Unavailable: the
// connection is then closed, and the next call opens it anew.
class SqliteSession final : public Session {
 public:
  // `name` is the file's, for messages; `path` is absolute.
  SqliteSession(std::string name, std::string path, std::chrono::milliseconds statement_max);

  void Begin() override;
  Rows Query(std::string_view sql, std::span<const iq_value> args) override;
  void Execute(std::string_view sql, std::span<const iq_value> args) override;
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
    kFailed,  // A statement failed, and the caller was told; failure_ is why.
    kLost,    // The file became unavailable in mid-transaction. Nothing runs until the caller has
              // seen that its transaction is gone, which Rollback, Commit or Begin acknowledge.
  };

  template <typename Work>
  auto OnFile(Work work);
  void RequireUsable();
  void RequireConnection();
  void ThrowFailure();
  [[noreturn]] void Fail(const StoreError& failure);
  [[noreturn]] void RollBackAndThrow(StoreError failure);
  [[noreturn]] void Lose(const std::string& reason);
  [[noreturn]] void ThrowUnavailable() const;
  void Disconnect(std::string reason);

  const std::string name_;
  const std::string path_;
  const std::chrono::milliseconds statement_max_;
  Outage outage_;
  std::string outage_reason_;
  bool was_open_ = false;  // The file was there once: it is never made anew in its place.
  std::optional<SqliteConnection> connection_;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();

  Phase phase_ = Phase::kIdle;
  std::optional<StoreError> failure_;  // The first since Begin; of Execute, before it was shown.
  std::uint64_t writes_ = 0;

  SqliteJournal journal_{*this};
  SqliteMigrations migrations_{*this};
  SqliteAudit audit_{*this};
};

}  // namespace iq
