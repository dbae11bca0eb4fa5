#include "host/store/postgres.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string_view>
#include <utility>

#include <libpq-fe.h>

#include "host/store/postgres_session.h"

namespace iq {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

// No word of the URL, nor of libpq's complaint, which quotes it: either may hold the password.
[[noreturn]] void RefuseUrl() {
  throw UsageError(
      "the store's URL (IQ_STORE_URL) is not understood: write "
      "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with the characters / : @ ? # % of user and "
      "password percent-encoded (@ is %40)");
}

std::string_view Value(const Options& options, std::string_view keyword) {
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->keyword == keyword && option->val != nullptr) return option->val;
  }
  return {};
}

// Takes the part before the first comma off `list`.
std::string_view TakeFirst(std::string_view& list) {
  const auto comma = list.find(',');
  const std::string_view first = list.substr(0, comma);
  list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  return first;
}

bool IsPort(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

// "HOST:PORT", several with commas. A part of an unencoded password ends up as host or port, which
// is why both are looked at.
std::string Addresses(std::string_view hosts, std::string_view ports) {
  std::string addresses;
  const bool one_port = ports.find(',') == std::string_view::npos;
  const std::string_view port_of_all = ports;
  do {
    const std::string_view host = TakeFirst(hosts);
    std::string_view port = one_port ? port_of_all : TakeFirst(ports);
    if (port.empty()) port = "5432";
    if (!IsPort(port) || host.find('@') != std::string_view::npos) RefuseUrl();
    if (!addresses.empty()) addresses += ',';
    const bool is_ipv6 = host.find(':') != std::string_view::npos;
    addresses += is_ipv6        ? fmt::format("[{}]", host)
                 : host.empty() ? "localhost"
                                : std::string(host);
    addresses += fmt::format(":{}", port);
  } while (!hosts.empty());
  return addresses;
}

// Thread-safe: nothing changes after construction.
class PostgresStore final : public Store {
 public:
  explicit PostgresStore(std::string url) : url_(std::move(url)) {
    const Options options(PQconninfoParse(url_.c_str(), nullptr));
    if (!options) RefuseUrl();
    name_ = "postgresql at " + Addresses(Value(options, "host"), Value(options, "port"));
  }

  std::string name() const override { return name_; }
  std::unique_ptr<Session> Open(std::chrono::milliseconds statement_max) override {
    return std::make_unique<PostgresSession>(name_, url_, statement_max);
  }
  bool takes_arrays() const override { return true; }
  std::string_view dialect() const override { return ".sql"; }

 private:
  std::string url_;
  std::string name_;
};

}  // namespace

std::unique_ptr<Store> OpenPostgres(const std::string& url) {
  return std::make_unique<PostgresStore>(url);
}

}  // namespace iq
