// One connection to an SQLite file, as the store uses it. It knows SQLite; what follows from a
// failure for the transaction is decided in sqlite_session.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "host/sqlite/database.h"
#include "host/store/sqlite_guard.h"
#include "host/store/store.h"

namespace iq {

// Not thread-safe. Every call throws StoreError for a statement's own failure and Unavailable for
// the file's; after Unavailable only the destructor may be called, which rolls back.
//
// Statements have the function now(): the time as "2024-01-02T03:04:05.678901Z", the same
// throughout a transaction, as PostgreSQL's is.
class SqliteConnection {
 public:
  using Clock = std::chrono::steady_clock;

  SqliteConnection(const std::string& path, std::chrono::milliseconds statement_max);
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  struct Answer {
    Rows rows;
    bool changed = false;    // Whether it may have changed something.
    bool read_only = false;  // Whether it is one that never can.
  };
  // One statement; outside a transaction it is one of its own.
  Answer Run(std::string_view sql, std::span<const iq_value> args);

  // A statement that still runs then fails with kDeadline.
  void SetDeadline(Clock::time_point deadline) { call_deadline_ = deadline; }

  // Several statements, inside a transaction and without limit of time. Returns how many rows they
  // inserted, updated or deleted. An error tells the line.
  std::uint64_t RunScript(std::string_view sql);

  void Begin();
  // Throws CommitUnknown where a failing disk leaves it open: the transaction may come back to life
  // when the file is recovered.
  void Commit();
  void Rollback() noexcept;
  bool InTransaction() const { return database_.InTransaction(); }

  // See Database.
  bool FileMoved() const { return database_.Moved(); }

  ServerFacts Facts();

 private:
  template <typename Work>
  auto Checked(Work work);
  void UseMemoryForTemporaryTables();
  std::string Setting(std::string_view pragma);
  void RunFirst(std::string_view& script);
  const std::string& Now();

  sqlite::Database database_;
  StatementGuard guard_;
  const std::chrono::milliseconds statement_max_;
  Clock::time_point call_deadline_ = Clock::time_point::max();
  Clock::time_point deadline_ = Clock::time_point::max();  // Of the running statement.
  std::string now_;  // Of the current transaction, from its first use on.
};

}  // namespace iq
