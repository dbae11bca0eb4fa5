#include "tests/support/otlp_collector.h"

#include <httplib.h>

#include <exception>
#include <stdexcept>
#include <utility>

#include "tests/support/eventually.h"

namespace iq::test {
namespace {

constexpr std::chrono::seconds kStartMax{10};

}  // namespace

OtlpCollector::OtlpCollector(std::uint16_t port) : server_(std::make_unique<httplib::Server>()) {
  constexpr std::time_t kKeepAliveS = 1;  // So long the end waits for a client that stays.
  server_->set_keep_alive_timeout(kKeepAliveS);
  server_->Post(".*", [this](const httplib::Request& request, httplib::Response& response) {
    response.status = Take({request.path, request.get_header_value("Content-Type"),
                            request.get_header_value("x-api-key"), request.body});
    response.set_content("{}", "application/json");
  });
  const char* const host = "127.0.0.1";
  const int bound =
      port != 0 ? (server_->bind_to_port(host, port) ? port : -1) : server_->bind_to_any_port(host);
  if (bound <= 0) throw std::runtime_error("the collector found no port");
  port_ = static_cast<std::uint16_t>(bound);
  thread_ = std::thread([this] { server_->listen_after_bind(); });
  // A stop before that would be missed.
  if (!Eventually(kStartMax, [this] { return server_->is_running(); })) std::terminate();
}

OtlpCollector::~OtlpCollector() {
  {
    const std::lock_guard lock(mutex_);
    hangs_ = false;
  }
  released_.notify_all();
  server_->stop();
  thread_.join();
}

std::string OtlpCollector::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

void OtlpCollector::Answer(int status) {
  const std::lock_guard lock(mutex_);
  status_ = status;
}

void OtlpCollector::Hang() {
  const std::lock_guard lock(mutex_);
  hangs_ = true;
}

std::vector<OtlpCollector::Request> OtlpCollector::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

int OtlpCollector::Take(Request request) {
  std::unique_lock lock(mutex_);
  const std::size_t index = requests_.size();
  requests_.push_back(std::move(request));
  released_.wait(lock, [this] { return !hangs_; });
  requests_[index].status = status_;
  return status_;
}

}  // namespace iq::test
