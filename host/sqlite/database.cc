#include "host/sqlite/database.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <filesystem>
#include <random>
#include <system_error>
#include <thread>

#include "host/base/error.h"

namespace iq::sqlite {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kScheme = "sqlite:";
// How often the interrupt's condition is asked: every so many steps of SQLite's virtual machine.
constexpr int kStepsBetweenQuestions = 10'000;
// A waiting writer looks again after a time drawn from this range: short, as a turn to write is,
// and uneven, so that no process always comes second.
constexpr std::int64_t kLookAgainMinUs = 200;
constexpr std::int64_t kLookAgainMaxUs = 2'000;
constexpr std::size_t kPreparedMax = 1000;
// It holds money and messages. SQLite gives its log the same mode.
constexpr mode_t kFileMode = 0640;
constexpr int kLinksMax = 40;

std::string_view MendOf(int primary_code) {
  switch (primary_code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process writes to it for too long; `fuser FILE` names it";
    case SQLITE_FULL:
      return "free some space on its disk";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return "let the host's user write to it and to its directory";
    case SQLITE_CANTOPEN:
      return "its directory must exist and be writable by the host's user";
    case SQLITE_NOTADB:
      return "it is no SQLite file; name another one";
    case SQLITE_CORRUPT:
      return "it is damaged; restore it from a copy";
    default:
      return "look at its disk";
  }
}

bool SaysSomethingAboutTheFile(int primary_code) {
  switch (primary_code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_IOERR:
    case SQLITE_NOLFS:
    case SQLITE_PROTOCOL:
      return true;
    default:
      return false;
  }
}

void CreateDirectoryOf(const std::filesystem::path& file) {
  if (!file.has_parent_path()) return;
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (!error) return;
  throw Unavailable(fmt::format("sqlite file {}: its directory cannot be made: {}", file.string(),
                                error.message()));
}

// Where SQLite finds the file, and the log beside it, also when the file is missing.
std::filesystem::path FollowLinks(std::filesystem::path file) {
  std::error_code ignored;
  for (int links = 0; links < kLinksMax && std::filesystem::is_symlink(file, ignored); ++links) {
    file = file.parent_path() / std::filesystem::read_symlink(file, ignored);
  }
  return file;
}

bool HasContent(const std::filesystem::path& file) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  return !error && bytes > 0;
}

// The log is looked at first: when it has content, so has a file that is where it was. The file is
// made without being opened, as to close it would free SQLite's own locks on it in this process.
void CreateMissing(const std::filesystem::path& file) {
  const std::string log = file.string() + "-wal";
  const bool log_has_content = HasContent(log);
  if (HasContent(file)) return;
  if (log_has_content) {
    std::error_code ignored;
    const bool there = std::filesystem::exists(file, ignored);
    throw Unavailable(
        fmt::format("sqlite file {}: it is {} but its {} is there: put it back where "
                    "it was",
                    file.string(), there ? "empty" : "missing", log));
  }
  // A failure shows when it is opened.
  (void)mknod(file.c_str(), S_IFREG | kFileMode, 0);
}

void Pause() {
  thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_int_distribution<std::int64_t> pause(kLookAgainMinUs, kLookAgainMaxUs);
  std::this_thread::sleep_for(std::chrono::microseconds(pause(random)));
}

}  // namespace

std::string PathOf(const std::string& url) {
  if (!url.starts_with(kScheme) || url.size() == kScheme.size()) {
    throw UsageError(fmt::format("{}: not a URL of an SQLite file; write sqlite:PATH", url));
  }
  return url.substr(kScheme.size());
}

void Throw(sqlite3* handle, int code) {
  const int primary = code & 0xff;
  const std::string message = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  if (!SaysSomethingAboutTheFile(primary)) throw Failure(code, message);
  const char* file = handle != nullptr ? sqlite3_db_filename(handle, "main") : nullptr;
  throw Unavailable(
      fmt::format("sqlite file {}: {}; {}", file != nullptr ? file : "", message, MendOf(primary)));
}

Statement::~Statement() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Statement::Check(int code) {
  if (code != SQLITE_OK) Throw(sqlite3_db_handle(statement_), code);
}

Statement& Statement::Bind(int index, std::int64_t value) {
  Check(sqlite3_bind_int64(statement_, index, value));
  return *this;
}

Statement& Statement::Bind(int index, double value) {
  Check(sqlite3_bind_double(statement_, index, value));
  return *this;
}

// An empty view may have no address, which SQLite would take for NULL.
Statement& Statement::Bind(int index, std::string_view text) {
  Check(sqlite3_bind_text64(statement_, index, text.empty() ? "" : text.data(), text.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::BindBytes(int index, std::string_view bytes) {
  Check(sqlite3_bind_blob64(statement_, index, bytes.empty() ? "" : bytes.data(), bytes.size(),
                            SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::BindNull(int index) {
  Check(sqlite3_bind_null(statement_, index));
  return *this;
}

bool Statement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Throw(sqlite3_db_handle(statement_), sqlite3_extended_errcode(sqlite3_db_handle(statement_)));
}

void Statement::Run() {
  while (Step()) continue;
}

int Statement::columns() const { return sqlite3_column_count(statement_); }

int Statement::column_type(int column) const { return sqlite3_column_type(statement_, column); }

std::int64_t Statement::Integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Statement::Double(int column) const { return sqlite3_column_double(statement_, column); }

std::string_view Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

void Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Database::Database(const std::string& path, Sync sync, std::chrono::milliseconds patience)
    : path_(path), patience_(patience) {
  CreateDirectoryOf(path);
  CreateMissing(FollowLinks(path));
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) {
    throw Unavailable(fmt::format("sqlite file {}: {}; {}", path,
                                  handle != nullptr ? sqlite3_errmsg(handle) : "out of memory",
                                  MendOf(code & 0xff)));
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_handler(handle, &Database::WaitForTurn, this);
  UseWriteAheadLog();
  RunScript("PRAGMA foreign_keys = ON");
  // What a large transaction has blown the log up to is given back.
  RunScript("PRAGMA journal_size_limit = 67108864");
  RunScript(sync == Sync::kEveryCommit ? "PRAGMA synchronous = FULL"
                                       : "PRAGMA synchronous = NORMAL");
}

Database::~Database() = default;

// The change needs the file for a moment, and SQLite does not wait for that: two connections that
// both are about to make the change would wait for each other.
void Database::UseWriteAheadLog() {
  const auto give_up = std::chrono::steady_clock::now() + patience_;
  while (true) {
    sqlite3_stmt* raw = nullptr;
    int code = sqlite3_prepare_v2(handle_.get(), "PRAGMA journal_mode = WAL", -1, &raw, nullptr);
    const OwnStatement statement(raw);
    if (code == SQLITE_OK) code = sqlite3_step(raw);
    if (code == SQLITE_ROW) return;
    const bool busy = (code & 0xff) == SQLITE_BUSY;
    if (!busy || std::chrono::steady_clock::now() >= give_up) Throw(handle_.get(), code);
    Pause();
  }
}

Statement Database::Prepare(std::string_view sql) { return FromCache(prepared_, sql); }

Statement Database::PrepareOnce(std::string_view sql) { return Statement(Compile(sql)); }

Statement Database::FromCache(Prepared& cache, std::string_view sql) {
  const auto found = cache.find(sql);
  if (found != cache.end()) return Statement(found->second.get());
  OwnStatement compiled = Compile(sql);
  if (cache.size() >= kPreparedMax) return Statement(std::move(compiled));
  return Statement(cache.emplace(sql, std::move(compiled)).first->second.get());
}

Database::OwnStatement Database::Compile(std::string_view sql) {
  const auto compile = [this](std::string_view text, const char** rest) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), text.data(), static_cast<int>(text.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, rest);
    if (code != SQLITE_OK) Throw(handle_.get(), code);
    return OwnStatement(statement);
  };
  const char* rest = nullptr;
  OwnStatement first = compile(sql, &rest);
  if (!first) throw Failure(SQLITE_ERROR, "there is no statement");
  // What follows may be blanks and comments, which compile to nothing.
  const auto used = static_cast<std::size_t>(rest - sql.data());
  if (used < sql.size() && compile(sql.substr(used), nullptr)) {
    throw Failure(SQLITE_ERROR, "more than one statement");
  }
  return first;
}

void Database::RunScript(std::string_view sql) {
  const int code = sqlite3_exec(handle_.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) Throw(handle_.get(), code);
}

void Database::Begin() { FromCache(own_, "BEGIN IMMEDIATE").Run(); }

void Database::Commit() { FromCache(own_, "COMMIT").Run(); }

void Database::Rollback() noexcept {
  if (InTransaction()) sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

bool Database::InTransaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

bool Database::Moved() const {
  int moved = 0;
  sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return moved != 0;
}

std::string Database::file() const { return sqlite3_db_filename(handle_.get(), "main"); }

std::int64_t Database::data_version() {
  Statement statement = FromCache(own_, "PRAGMA data_version");
  statement.Step();
  return statement.Integer(0);
}

std::int64_t Database::changes() const { return sqlite3_total_changes64(handle_.get()); }

void Database::InterruptWhen(std::function<bool()> condition) {
  interrupted_ = std::move(condition);
  sqlite3_progress_handler(
      handle_.get(), interrupted_ ? kStepsBetweenQuestions : 0,
      [](void* self) { return static_cast<Database*>(self)->interrupted_() ? 1 : 0; }, this);
}

// SQLite's own way of waiting grows to 100 ms between two looks.
int Database::WaitForTurn(void* self, int attempts) {
  auto& database = *static_cast<Database*>(self);
  const auto now = std::chrono::steady_clock::now();
  if (attempts == 0) database.waiting_since_ = now;
  if (now - database.waiting_since_ >= database.patience_) return 0;
  Pause();
  return 1;
}

}  // namespace iq::sqlite
