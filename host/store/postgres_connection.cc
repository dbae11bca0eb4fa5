#include "host/store/postgres_connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <system_error>
#include <thread>
#include <utility>

#include "host/store/postgres_certificate.h"

namespace iq {
namespace {

using Clock = PostgresConnection::Clock;
using std::chrono::milliseconds;

// How much longer than the server's own limit a result may take before the server counts as gone.
constexpr milliseconds kGrace{5000};
// The server keeps its limits in 32-bit milliseconds.
constexpr milliseconds kLimitMax{std::numeric_limits<std::int32_t>::max()};
// A lock timeout fires before the statement's, because it tells more: another transaction is in the
// way, and a second attempt may succeed.
constexpr int kLockMarginShare = 10;
constexpr int kReadsAtOnceMax = 16;

// libpq's message in one line, without the advice on lines of its own that begin with a tab.
std::string OneLine(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (part.empty() || part.front() == '\t' || part == "invalid socket") continue;
    if (!line.empty()) line += "; ";
    line += part;
  }
  return line;
}

constexpr milliseconds kIdleMargin{60'000};

// Zero is no limit.
std::string Limits(milliseconds statement_max) {
  const auto lock_max = statement_max - statement_max / kLockMarginShare;
  return fmt::format("SET statement_timeout = {}; SET lock_timeout = {};", statement_max.count(),
                     lock_max.count());
}

// The texts of values must not depend on the server's or the role's settings, nor may durability.
std::string SessionSettings(milliseconds statement_max) {
  return Limits(statement_max) +
         // Longer than a handler may take between two statements.
         fmt::format("SET idle_in_transaction_session_timeout = {};",
                     (statement_max + kIdleMargin).count()) +
         "SET synchronous_commit = on;"
         "SET default_transaction_isolation = 'read committed';"
         "SET standard_conforming_strings = on;"
         "SET bytea_output = 'hex';"
         "SET extra_float_digits = 1;"
         "SET DateStyle = 'ISO, YMD';"
         "SET IntervalStyle = 'iso_8601';"
         "SET TimeZone = 'UTC'";
}

// What stands before the URL is a default that the URL may override; what stands behind it is
// fixed.
PGconn* Connect(const std::string& url) {
  constexpr std::size_t kOptions = 11;
  const std::array<const char*, kOptions> names{"application_name",
                                                "connect_timeout",
                                                "keepalives",
                                                "keepalives_idle",
                                                "keepalives_interval",
                                                "keepalives_count",
                                                "tcp_user_timeout",
                                                "dbname",
                                                "client_encoding",
                                                "target_session_attrs",
                                                nullptr};
  const std::array<const char*, kOptions> values{
      "iq", "3", "1", "5", "2", "3", "10000", url.c_str(), "UTF8", "read-write", nullptr};
  return PQconnectdbParams(names.data(), values.data(), /*expand_dbname=*/1);
}

void DropNotice(void* /*context*/, const PGresult* /*notice*/) {}

// Waits for any of `events` and returns those that came; 0 when `deadline` passed.
short Poll(int socket, short events, Clock::time_point deadline) {
  while (true) {
    int wait_ms = -1;
    if (deadline != Clock::time_point::max()) {
      const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
      wait_ms = static_cast<int>(std::clamp(left, milliseconds{0}, kLimitMax).count());
    }
    pollfd watched{socket, events, 0};
    const int ready = poll(&watched, 1, wait_ms);
    if (ready > 0) return watched.revents;
    if (ready == 0) return 0;
    if (errno != EINTR) throw ConnectionLost(std::generic_category().message(errno));
  }
}

}  // namespace

PostgresConnection::PostgresConnection(const std::string& url, milliseconds statement_max)
    : connection_(Connect(url)),
      statement_max_(std::clamp(statement_max, milliseconds{1}, kLimitMax)),
      silence_max_(statement_max_ + kGrace) {
  PGconn* const connection = connection_.get();
  if (PQstatus(connection) != CONNECTION_OK) ThrowRefused();
  PQsetNoticeReceiver(connection, DropNotice, nullptr);
  if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1) {
    throw ConnectionLost(LastError());
  }
  Set(SessionSettings(statement_max_));
}

void PostgresConnection::ThrowRefused() const {
  const std::string reason = LastError();
  const std::string fault = PostgresCertificateFault(connection_.get(), reason);
  if (fault.empty()) throw ConnectionLost(reason);
  throw ConnectionLost(fmt::format("{}; {}", reason, fault), Unavailable::Mend::kSaid);
}

std::string PostgresConnection::LastError() const {
  const std::string error = OneLine(PQerrorMessage(connection_.get()));
  return error.empty() ? "the connection was closed" : error;
}

void PostgresConnection::CheckQueued(int queued) const {
  if (queued == 1) return;
  if (!open()) throw ConnectionLost(LastError());
  throw StoreError(StoreError::Kind::kStatement, "54000", "", LastError());
}

void PostgresConnection::SendPrepare(const std::string& name, const std::string& sql) {
  CheckQueued(PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr));
}

void PostgresConnection::SendPrepared(const std::string& name, const Parameters& parameters) {
  CheckQueued(PQsendQueryPrepared(connection_.get(), name.c_str(), parameters.count(),
                                  parameters.values(), nullptr, nullptr, 0));
}

void PostgresConnection::SendUnnamed(const std::string& sql, const Parameters& parameters) {
  CheckQueued(PQsendQueryParams(connection_.get(), sql.c_str(), parameters.count(), nullptr,
                                parameters.values(), nullptr, nullptr, 0));
}

void PostgresConnection::SendSync() {
  if (PQpipelineSync(connection_.get()) != 1) throw ConnectionLost(LastError());
}

// Reads while it writes: otherwise both sides could wait for the other to empty its buffer.
void PostgresConnection::AwaitResult() {
  PGconn* const connection = connection_.get();
  auto silence_end = SilenceEnd();
  while (true) {
    const int unsent = PQflush(connection);
    if (unsent < 0 || !open()) return;  // PQgetResult then tells what the server said last.
    if (PQisBusy(connection) == 0) return;
    const auto wanted = static_cast<short>(unsent == 1 ? POLLIN | POLLOUT : POLLIN);
    const auto limit = cancelled_ ? silence_end : std::min(silence_end, deadline_);
    const short ready = Poll(PQsocket(connection), wanted, limit);
    if (ready == 0) CancelOrGiveUp();
    if (ready == 0 || (ready & POLLOUT) != 0) silence_end = SilenceEnd();
    if ((ready & ~POLLOUT) != 0 && PQconsumeInput(connection) == 0) return;
  }
}

// When the server counts as gone if it stays silent from now on.
Clock::time_point PostgresConnection::SilenceEnd() const {
  if (!silence_max_) return Clock::time_point::max();
  return Clock::now() + (cancelled_ ? std::min(kGrace, statement_max_ / 2) : *silence_max_);
}

void PostgresConnection::CancelOrGiveUp() {
  if (cancelled_ || Clock::now() < deadline_) throw ConnectionLost("the server gives no answer");
  Cancel();
}

// On a thread of its own: PQcancel connects anew, and waits for a server that hangs without limit.
void PostgresConnection::Cancel() {
  cancelled_ = true;
  struct Free {
    void operator()(PGcancel* request) const noexcept { PQfreeCancel(request); }
  };
  std::unique_ptr<PGcancel, Free> request(PQgetCancel(connection_.get()));
  if (!request) return;
  try {
    std::thread([request = std::move(request)] {
      constexpr int kErrorBytes = 256;
      std::array<char, kErrorBytes> ignored{};
      PQcancel(request.get(), ignored.data(), kErrorBytes);
    }).detach();
  } catch (const std::system_error&) {
    return;  // No more threads: what follows is as for a server that ignores it.
  }
}

Result PostgresConnection::Next() {
  AwaitResult();
  Result result(PQgetResult(connection_.get()));
  if (!result) {
    if (!open()) throw ConnectionLost(LastError());
    return result;
  }
  switch (PQresultStatus(result.get())) {
    case PGRES_FATAL_ERROR:
      if (SqlState(result).empty()) throw ConnectionLost(OneLine(PrimaryMessage(result)));
      return result;
    case PGRES_EMPTY_QUERY:
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
      return result;
    default:
      throw ConnectionLost("COPY is not possible here");
  }
}

PostgresConnection::ScriptEnd PostgresConnection::RunSimple(const std::string& sql) {
  PGconn* const connection = connection_.get();
  if (PQexitPipelineMode(connection) != 1 || PQsendQuery(connection, sql.c_str()) != 1) {
    throw ConnectionLost(LastError());
  }
  ScriptEnd end;
  while (Result result = Next()) {
    end.rows_changed += RowsChanged(result);
    if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) end.error = std::move(result);
  }
  if (PQenterPipelineMode(connection) != 1) throw ConnectionLost(LastError());
  return end;
}

void PostgresConnection::Set(const std::string& settings) {
  const ScriptEnd end = RunSimple(settings);
  if (end.error) throw ConnectionLost(PrimaryMessage(end.error));
}

PostgresConnection::ScriptEnd PostgresConnection::RunScript(const std::string& sql) {
  const auto silence_max = silence_max_;
  Set(Limits(milliseconds{0}));
  silence_max_.reset();
  ScriptEnd end = RunSimple(sql);
  silence_max_ = silence_max;
  // In a broken transaction nothing can be set, and its end restores the limits.
  if (state() != PQTRANS_INERROR) Set(Limits(statement_max_));
  return end;
}

bool PostgresConnection::SeenClosed() {
  PGconn* const connection = connection_.get();
  for (int reads = 0; reads < kReadsAtOnceMax && open(); ++reads) {
    if (Poll(PQsocket(connection), POLLIN, Clock::now()) == 0) return false;
    if (PQconsumeInput(connection) == 0) return true;
    PQisBusy(connection);  // Parses what was read, so that a last word of the server is not kept.
  }
  return !open();
}

}  // namespace iq
