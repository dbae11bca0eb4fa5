// One libpq connection in pipeline mode that never blocks without a limit. It knows the wire; what
// a transaction is, and whose fault an error was, is decided in postgres_session.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <libpq-fe.h>

#include "host/base/error.h"
#include "host/store/parameters.h"
#include "host/store/result.h"

namespace iq {

// The connection is of no more use. what() is the reason in one line, without a password.
class ConnectionLost : public std::runtime_error {
 public:
  explicit ConnectionLost(const std::string& what,
                          Unavailable::Mend mend = Unavailable::Mend::kUsual)
      : std::runtime_error(what), mend_(mend) {}

  Unavailable::Mend mend() const { return mend_; }

 private:
  Unavailable::Mend mend_;
};

// Not thread-safe. After ConnectionLost only the destructor may be called.
class PostgresConnection {
 public:
  using Clock = std::chrono::steady_clock;

  // Connects and sets the session up: `statement_max` bounds every statement at the server, and
  // with a grace also the wait for its result here. Throws ConnectionLost.
  PostgresConnection(const std::string& url, std::chrono::milliseconds statement_max);

  // Queue one statement; nothing need leave yet. A statement that cannot be queued for its own sake
  // (too many parameters) is a StoreError.
  void SendPrepare(const std::string& name, const std::string& sql);
  void SendPrepared(const std::string& name, const Parameters& parameters);
  void SendUnnamed(const std::string& sql, const Parameters& parameters);

  // What is still waited for at `deadline` is cancelled at the server, once: its result is then an
  // error with SQLSTATE 57014, or ConnectionLost where the server does not answer to that either.
  void SetDeadline(Clock::time_point deadline) { deadline_ = deadline; }
  // Whether that happened. The cancel may still be on its way, and meets whatever runs when it
  // arrives: the connection is not to be used for anything else.
  bool cancelled() const { return cancelled_; }

  // Ends a stretch of the pipeline: after an error the server skips what follows up to here, and
  // then tells the transaction's state.
  void SendSync();

  // The next result of what was queued, and a null after each statement's last, as PQgetResult has
  // it. Errors that the server reported are results; everything else throws ConnectionLost.
  Result Next();

  struct ScriptEnd {
    Result error;  // What ended it; null when nothing did.
    std::uint64_t rows_changed = 0;
  };
  // Runs a script as one simple query, without limits of time at the server or here. Nothing may be
  // pending.
  ScriptEnd RunScript(const std::string& sql);

  // Whether the connection is seen to be closed, without waiting. Reads what has arrived.
  bool SeenClosed();

  // PQTRANS_ACTIVE while anything is pending; otherwise as of the last sync.
  PGTransactionStatusType state() const { return PQtransactionStatus(connection_.get()); }
  bool open() const { return PQstatus(connection_.get()) == CONNECTION_OK; }

 private:
  struct Finish {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  };

  [[noreturn]] void ThrowRefused() const;
  std::string LastError() const;
  void CheckQueued(int queued) const;
  void AwaitResult();
  Clock::time_point SilenceEnd() const;
  void CancelOrGiveUp();
  void Cancel();
  ScriptEnd RunSimple(const std::string& sql);
  void Set(const std::string& settings);

  std::unique_ptr<PGconn, Finish> connection_;
  std::chrono::milliseconds statement_max_;
  std::optional<std::chrono::milliseconds> silence_max_;  // Without: wait for ever.
  Clock::time_point deadline_ = Clock::time_point::max();
  bool cancelled_ = false;
};

}  // namespace iq
