// What the host needs of a database: sessions with transactions, statements with typed parameters.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <iq/abi.h>

#include "host/base/error.h"

namespace iq {

class AuditTable;
class JournalTable;
class MigrationTable;

// A statement failed, and it is the statement's or the data's doing: the server is fine.
class StoreError : public std::runtime_error {
 public:
  enum class Kind {
    kConflict,   // Serialization failure, deadlock, lock timeout: the same again may succeed.
    kDuplicate,  // A unique constraint. constraint() names it, "TABLE_pkey" for instance.
    kDeadline,   // The statement ran longer than it may.
    kStatement,  // Everything else.
  };
  StoreError(Kind kind, std::string code, std::string constraint, const std::string& what)
      : std::runtime_error(what),
        kind_(kind),
        code_(std::move(code)),
        constraint_(std::move(constraint)) {}

  Kind kind() const { return kind_; }
  const std::string& code() const { return code_; }  // SQLSTATE.
  const std::string& constraint() const { return constraint_; }

 private:
  Kind kind_;
  std::string code_;
  std::string constraint_;
};

// The connection was lost between sending COMMIT and its answer: the transaction may or may not
// have taken effect. Only the journal can tell.
class CommitUnknown : public Unavailable {
 public:
  using Unavailable::Unavailable;
};

// The rows of one result. Values are IQ_NULL, IQ_BOOL, IQ_INT64, IQ_DOUBLE, IQ_BYTES or IQ_TEXT
// (everything else in the server's text form) and point into `owner`. SQLite has no IQ_BOOL: a
// truth is IQ_INT64 there.
struct Rows {
  std::size_t columns = 0;
  std::vector<iq_value> cells;  // Row by row.
  std::shared_ptr<const void> owner;

  std::size_t size() const { return columns == 0 ? 0 : cells.size() / columns; }
  const iq_value& At(std::size_t row, std::size_t column) const {
    return cells[row * columns + column];
  }
};

// A setting that decides whether what is committed survives a power failure.
struct DurabilitySetting {
  std::string name;
  std::string value;
  std::string mend;  // Empty where it does survive.
};

struct ServerFacts {
  std::string version;
  std::vector<DurabilitySetting> durability;
};

// One connection. Not thread-safe. Connects on first use and again after a loss, when the pause
// since the last attempt is over. Statements use $1, $2, … and are prepared once per connection.
//
// Every call but Rollback throws Unavailable when the server is away (the transaction is then gone)
// and StoreError when a statement fails: after that only Rollback is of use.
class Session {
 public:
  virtual ~Session() = default;

  // Starts a transaction that is READ COMMITTED or stricter. Without one, each Query is a
  // transaction of its own.
  virtual void Begin() = 0;

  virtual Rows Query(std::string_view sql, std::span<const iq_value> args) = 0;

  // Sends the statement without waiting for its result: its failure shows at the next Query or at
  // Commit. Only inside a transaction.
  virtual void Execute(std::string_view sql, std::span<const iq_value> args) = 0;

  // A statement that is waited for at `deadline` is cancelled and fails with kDeadline, also where
  // it began in good time and where the server ignores the cancel. Holds until the next call;
  // time_point::max() is none. Commit and Rollback, and what was sent by Execute and is waited for
  // there, are not bounded by it.
  virtual void SetDeadline(std::chrono::steady_clock::time_point deadline) = 0;

  // Returns only when the server said that the transaction is committed. A transaction that the
  // server rolled back instead is a StoreError; no answer is CommitUnknown.
  virtual void Commit() = 0;

  // Ends the transaction without effect. Nothing happens when there is none.
  virtual void Rollback() noexcept = 0;

  // Grows with each statement since Begin that may have changed something. What provably did not:
  // a SELECT without a function call, an INSERT, UPDATE or DELETE that met no row.
  virtual std::uint64_t writes() const = 0;

  // True until a statement outside the host's control ended or broke the transaction.
  virtual bool InTransaction() const = 0;

  // Time until a call is worth trying again after Unavailable.
  virtual std::chrono::milliseconds UntilNextAttempt() const = 0;

  // Runs a script of several statements in one round trip, outside the prepared ones; no
  // parameters, no limit of time. Returns how many rows its INSERT, UPDATE and DELETE statements
  // met. Outside a transaction it is one of its own. For migrations.
  virtual std::uint64_t RunScript(std::string_view sql) = 0;

  // Asks the server about itself. Not inside a transaction.
  virtual ServerFacts Facts() = 0;

  // The statements for iq's own tables, in this database's dialect. They run on this session.
  virtual JournalTable& journal() = 0;
  virtual MigrationTable& migrations() = 0;
  virtual AuditTable& audit() = 0;
};

// Opens sessions. Thread-safe.
class Store {
 public:
  virtual ~Store() = default;
  // "postgresql at HOST:PORT" or "sqlite file PATH", for messages to people.
  virtual std::string name() const = 0;
  // A statement that runs longer than `statement_max` fails with kDeadline.
  virtual std::unique_ptr<Session> Open(std::chrono::milliseconds statement_max) = 0;
  // Whether IQ_INT64_ARRAY and IQ_TEXT_ARRAY can be parameters: without, no batch entries.
  virtual bool takes_arrays() const = 0;
  // Which of two files a migration uses: ".sql", or ".sqlite.sql" where one stands beside it.
  virtual std::string_view dialect() const = 0;
};

// `url` is postgresql://USER:PASSWORD@HOST:PORT/DATABASE?… or sqlite:PATH. Throws UsageError when
// it is neither. Does not connect yet.
std::unique_ptr<Store> OpenStore(const std::string& url);

}  // namespace iq
