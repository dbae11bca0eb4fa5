#include "host/store/sqlite_connection.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "host/base/rfc3339.h"
#include "host/store/changes.h"
#include "host/store/sqlite_error.h"
#include "host/store/sqlite_values.h"

namespace iq {
namespace {

std::size_t LineAt(std::string_view script, std::size_t position) {
  const auto end = script.begin() + static_cast<std::ptrdiff_t>(std::min(position, script.size()));
  return 1 + static_cast<std::size_t>(std::count(script.begin(), end, '\n'));
}

StoreError AtLine(std::size_t line, const StoreError& error) {
  return {error.kind(), error.code(), error.constraint(),
          fmt::format("line {}: {}", line, error.what())};
}

}  // namespace

SqliteConnection::SqliteConnection(const std::string& path, std::chrono::milliseconds statement_max)
    : database_(path, sqlite::Database::Sync::kEveryCommit),
      guard_(database_.handle()),
      statement_max_(statement_max) {
  UseMemoryForTemporaryTables();
  database_.InterruptWhen([this] { return Clock::now() >= deadline_; });
  sqlite3_create_function_v2(
      database_.handle(), "now", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, this,
      [](sqlite3_context* context, int, sqlite3_value**) {
        const std::string& now = static_cast<SqliteConnection*>(sqlite3_user_data(context))->Now();
        sqlite3_result_text(context, now.data(), static_cast<int>(now.size()), SQLITE_TRANSIENT);
      },
      nullptr, nullptr, nullptr);
}

// Where they would go is another disk, and its failure would pass for the file's.
void SqliteConnection::UseMemoryForTemporaryTables() {
  const StatementGuard::Pass pass(guard_);
  database_.RunScript("PRAGMA temp_store = MEMORY");
}

const std::string& SqliteConnection::Now() {
  if (now_.empty()) now_ = Rfc3339(std::chrono::system_clock::now());
  return now_;
}

// The one place where SQLite's failures become the contract's errors.
template <typename Work>
auto SqliteConnection::Checked(Work work) {
  try {
    return work();
  } catch (const sqlite::Failure& failure) {
    if (auto refusal = guard_.TakeRefusal()) throw StoreError(*refusal);
    throw ToStoreError(failure);
  }
}

SqliteConnection::Answer SqliteConnection::Run(std::string_view sql,
                                               std::span<const iq_value> args) {
  if (sql.find('\0') != std::string_view::npos) {
    throw StatementError("22021", "the statement has a NUL byte");
  }
  if (!database_.InTransaction()) now_.clear();
  deadline_ = std::min(Clock::now() + statement_max_, call_deadline_);
  return Checked([&] {
    sqlite::Statement statement = database_.Prepare(sql);
    BindArguments(statement, args);
    const std::int64_t before = database_.changes();
    Answer answer{ReadRows(statement)};
    const auto rows_met = static_cast<std::uint64_t>(database_.changes() - before);
    answer.read_only = sqlite3_stmt_readonly(statement.handle()) != 0;
    answer.changed = !answer.read_only && MayHaveChanged(sql, rows_met);
    return answer;
  });
}

std::uint64_t SqliteConnection::RunScript(std::string_view sql) {
  if (sql.find('\0') != std::string_view::npos) {
    throw StatementError("22021", "the script has a NUL byte");
  }
  deadline_ = Clock::time_point::max();
  const std::int64_t before = database_.changes();
  std::string_view rest = sql;
  while (true) {
    rest.remove_prefix(rest.size() - AfterBlanksAndComments(rest).size());
    if (rest.empty()) return static_cast<std::uint64_t>(database_.changes() - before);
    const std::size_t start = sql.size() - rest.size();
    try {
      Checked([&] { RunFirst(rest); });
    } catch (const StoreError& error) {
      const int offset = sqlite3_error_offset(database_.handle());
      throw AtLine(LineAt(sql, start + static_cast<std::size_t>(std::max(offset, 0))), error);
    }
  }
}

// Runs the first statement of `script`, and takes it off.
void SqliteConnection::RunFirst(std::string_view& script) {
  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v2(database_.handle(), script.data(),
                                      static_cast<int>(script.size()), &raw, &rest);
  if (code != SQLITE_OK) sqlite::Throw(database_.handle(), code);
  script.remove_prefix(static_cast<std::size_t>(rest - script.data()));
  if (raw == nullptr) return;
  sqlite::Statement(std::unique_ptr<sqlite3_stmt, sqlite::Finalize>(raw)).Run();
}

void SqliteConnection::Begin() {
  const StatementGuard::Pass pass(guard_);
  deadline_ = Clock::time_point::max();
  now_.clear();
  Checked([this] { database_.Begin(); });
}

void SqliteConnection::Commit() {
  if (FileMoved()) {
    throw Unavailable(
        fmt::format("sqlite file {}: it was moved or removed; put it back", database_.path()));
  }
  const StatementGuard::Pass pass(guard_);
  deadline_ = Clock::time_point::max();
  const int code = sqlite3_exec(database_.handle(), "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return;
  // The log may hold the whole transaction on the disk although its last write or sync failed.
  if ((code & 0xff) == SQLITE_IOERR) {
    throw CommitUnknown(fmt::format("sqlite file {}: COMMIT failed: {}; look at its disk",
                                    database_.path(), sqlite3_errmsg(database_.handle())));
  }
  Checked([&] { sqlite::Throw(database_.handle(), code); });
}

void SqliteConnection::Rollback() noexcept {
  const StatementGuard::Pass pass(guard_);
  deadline_ = Clock::time_point::max();
  database_.Rollback();
}

std::string SqliteConnection::Setting(std::string_view pragma) {
  const StatementGuard::Pass pass(guard_);
  return Checked([&] {
    sqlite::Statement statement = database_.PrepareOnce(fmt::format("PRAGMA {}", pragma));
    return statement.Step() ? std::string(statement.Text(0)) : std::string();
  });
}

ServerFacts SqliteConnection::Facts() {
  constexpr std::string_view kFull = "2";
  const std::string synchronous = Setting("synchronous");
  const std::string journal_mode = Setting("journal_mode");
  return {sqlite3_libversion(),
          {{"synchronous", synchronous == kFull ? "full" : synchronous, ""},
           {"journal_mode", journal_mode, ""}}};
}

}  // namespace iq
