#include "host/trace/collector.h"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <array>

namespace iq {
namespace {

using namespace std::chrono_literals;

constexpr auto kConnectMax = 1s;
constexpr auto kAnswerMax = 5s;
// Too many requests; a gateway's trouble; not now; a gateway's patience is over.
constexpr std::array kTryAgain{429, 502, 503, 504};

std::unique_ptr<httplib::ClientImpl> MakeClient(const TracingConfig& config) {
  std::unique_ptr<httplib::ClientImpl> client;
  if (config.tls) {
    client = std::make_unique<httplib::SSLClient>(config.host, config.port);
  } else {
    client = std::make_unique<httplib::ClientImpl>(config.host, config.port);
  }
  client->set_keep_alive(true);
  client->set_connection_timeout(kConnectMax);
  client->set_read_timeout(kAnswerMax);
  client->set_write_timeout(kAnswerMax);
  return client;
}

httplib::Headers HeadersOf(const TracingConfig& config) {
  httplib::Headers headers;
  for (const auto& [name, value] : config.headers) headers.emplace(name, value);
  return headers;
}

}  // namespace

Collector::Collector(const TracingConfig& config)
    : config_(config),
      client_(MakeClient(config)),
      outage_(fmt::format("the collector of spans at {}:{}", config.host, config.port),
              Outage::Need::kOptional) {}

Collector::~Collector() = default;

Collector::Answer Collector::Post(const std::string& json) {
  const auto result = client_->Post(config_.path, HeadersOf(config_), json, "application/json");
  if (!result) {
    outage_.Failed(
        fmt::format("POST {} failed ({})", config_.path, httplib::to_string(result.error())));
    return Answer::kAway;
  }
  constexpr int kOkFirst = 200;
  constexpr int kOkLast = 299;
  if (result->status >= kOkFirst && result->status <= kOkLast) {
    outage_.Ended();
    return Answer::kTaken;
  }
  outage_.Failed(fmt::format("it answers POST {} with status {}", config_.path, result->status));
  const bool later =
      std::find(kTryAgain.begin(), kTryAgain.end(), result->status) != kTryAgain.end();
  return later ? Answer::kAway : Answer::kRefused;
}

void Collector::Interrupt() { client_->stop(); }

}  // namespace iq
