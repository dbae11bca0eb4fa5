// A connection to one SQLite file: what the embedded broker and the embedded store stand on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

struct sqlite3;
struct sqlite3_stmt;

namespace iq::sqlite {

// How long a call waits for another connection's write transaction. Most last for moments. One of
// the store may last longer than this, a batch of many slow handlers or a large migration for
// instance: the others' calls then fail, they log an outage and try again, and nothing is lost.
inline constexpr std::chrono::seconds kPatience{15};

// A statement failed by its own or its data's doing; the file is fine. What says something about
// the file (full, read-only, busy for too long, damaged, no room on its disk) is Unavailable
// instead, and names the file and the mend.
class Failure : public std::runtime_error {
 public:
  Failure(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
  int code() const { return code_; }  // SQLite's extended result code.

 private:
  int code_;
};

struct Finalize {
  void operator()(sqlite3_stmt* statement) const;
};

// One use of a prepared statement. Parameters are numbered from 1, columns from 0. Reset when it
// is destroyed; text and bytes are copied at Bind, and what a column returned is valid until the
// next Step.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  // For a single use: finalized when it is destroyed.
  explicit Statement(std::unique_ptr<sqlite3_stmt, Finalize> own)
      : statement_(own.get()), own_(std::move(own)) {}
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  Statement& Bind(int index, std::int64_t value);
  Statement& Bind(int index, double value);
  Statement& Bind(int index, std::string_view text);
  Statement& BindBytes(int index, std::string_view bytes);
  Statement& BindNull(int index);

  // True while there is a row. Throws Failure and Unavailable.
  bool Step();
  // Runs it to its end.
  void Run();

  int columns() const;
  int column_type(int column) const;  // SQLITE_INTEGER, SQLITE_FLOAT, SQLITE_TEXT, …
  std::int64_t Integer(int column) const;
  double Double(int column) const;
  std::string_view Text(int column) const;  // Bytes too; empty for NULL.
  sqlite3_stmt* handle() const { return statement_; }

 private:
  void Check(int code);

  sqlite3_stmt* statement_;
  std::unique_ptr<sqlite3_stmt, Finalize> own_;
};

// Not thread-safe. Several connections, in this process and in others, may use one file at a time:
// one writes while any number read (WAL).
class Database {
 public:
  enum class Sync {
    kEveryCommit,  // What is committed survives a power failure.
    kLater,        // It survives the process, not always a power failure.
  };
  // Opens the file, or creates it and its directory; not where its log is there and has content:
  // SQLite would delete that, with all that was committed and is not yet in the file. A call waits
  // for `patience` at most for another connection's write transaction. Throws Unavailable.
  Database(const std::string& path, Sync sync, std::chrono::milliseconds patience = kPatience);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  // Prepared once, up to a number of texts beyond which they are evidently made up for each call;
  // at most one use of the same text at a time. Throws Failure, also where `sql` is not exactly one
  // statement, and Unavailable.
  Statement Prepare(std::string_view sql);
  // Not kept.
  Statement PrepareOnce(std::string_view sql);
  // Several statements without parameters.
  void RunScript(std::string_view sql);

  // Waits for its turn to write, so that no statement after it can meet another writer.
  void Begin();
  void Commit();
  // Nothing happens when there is no transaction.
  void Rollback() noexcept;
  bool InTransaction() const;

  // Whether another file, or none, is at the path now: what is written would be lost.
  bool Moved() const;
  // Changes when another connection has committed to the file.
  std::int64_t data_version();
  // Rows changed since the connection was opened.
  std::int64_t changes() const;
  // A statement that runs while this says true fails with SQLITE_INTERRUPT. Asked now and then.
  void InterruptWhen(std::function<bool()> condition);

  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }  // As it was given.
  // The file itself: absolute, with links followed.
  std::string file() const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using OwnStatement = std::unique_ptr<sqlite3_stmt, Finalize>;
  using Prepared = std::unordered_map<std::string, OwnStatement, TextHash, std::equal_to<>>;

  static int WaitForTurn(void* self, int attempts);
  void UseWriteAheadLog();
  OwnStatement Compile(std::string_view sql);
  Statement FromCache(Prepared& cache, std::string_view sql);

  const std::string path_;
  const std::chrono::milliseconds patience_;
  std::chrono::steady_clock::time_point waiting_since_{};
  std::function<bool()> interrupted_;
  std::unique_ptr<sqlite3, Close> handle_;
  // Both are finalized before the connection closes.
  Prepared prepared_;
  Prepared
      own_;  // This class's own: the same text from outside must pass the authorizer for itself.
};

// The path in "sqlite:PATH". Throws UsageError when `url` is not one.
std::string PathOf(const std::string& url);

// Throws what `code` means: see Failure.
[[noreturn]] void Throw(sqlite3* handle, int code);

}  // namespace iq::sqlite
