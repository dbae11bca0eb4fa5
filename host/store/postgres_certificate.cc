#include "host/store/postgres_certificate.h"

#include <poll.h>

#include <chrono>
#include <memory>
#include <vector>

#include "host/base/certificate_watch.h"

namespace iq {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{3};
constexpr int kAttemptsMax = 3;

struct Finish {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, Finish>;

struct FreeOptions {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};

// Begins to connect as `refused` did.
Connection Begin(PGconn* refused) {
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfo(refused));
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const PQconninfoOption* option = options.get();
       option != nullptr && option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    names.push_back(option->keyword);
    values.push_back(option->val);
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  return Connection(PQconnectStartParams(names.data(), values.data(), /*expand_dbname=*/0));
}

bool Await(PGconn* connection, PostgresPollingStatusType wanted, Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  if (left.count() <= 0) return false;
  const short events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT;
  pollfd watched{PQsocket(connection), events, 0};
  return poll(&watched, 1, static_cast<int>(left.count())) == 1;
}

// Connects with an ear at the handshake, up to the certificate's refusal or any other end.
void Listen(PGconn* connection, CertificateWatch& watch, Clock::time_point deadline) {
  if (PQstatus(connection) == CONNECTION_BAD) return;
  auto wanted = PGRES_POLLING_WRITING;
  while (wanted == PGRES_POLLING_READING || wanted == PGRES_POLLING_WRITING) {
    if (auto* const ssl = static_cast<SSL*>(PQsslStruct(connection, "OpenSSL"))) watch.Attach(ssl);
    if (!Await(connection, wanted, deadline)) return;
    wanted = PQconnectPoll(connection);
  }
}

// libpq shows its TLS connection between two steps of the handshake. Where the server has answered
// within the first one there is no such moment, hence the attempts.
std::string Refusal(PGconn* refused) {
  const auto deadline = Clock::now() + kPatience;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    CertificateWatch watch({.url = "store.url", .authorities = "sslrootcert"});
    const Connection again = Begin(refused);
    if (again) Listen(again.get(), watch, deadline);
    if (!watch.fault().empty()) return watch.fault();
  }
  return "look at its dates and its issuer, or set sslrootcert in store.url to that issuer's file";
}

bool Holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

std::string PostgresCertificateFault(PGconn* refused, std::string_view reason) {
  if (Holds(reason, "certificate verify failed")) return Refusal(refused);
  if (Holds(reason, "does not match host name")) {
    return "write the host in store.url as the certificate has it, or give the server one for this "
           "host";
  }
  return {};
}

}  // namespace iq
