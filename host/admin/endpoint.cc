#include "host/admin/endpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <httplib.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <system_error>
#include <utility>

#include "host/base/log.h"
#include "host/config_text.h"

namespace iq {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";
// A look at servers that are away takes a thread for seconds: others are to answer meanwhile.
constexpr std::size_t kThreads = 4;
constexpr std::chrono::milliseconds kStopStep{5};
constexpr std::size_t kRequestBytesMax = 64 * 1024;
constexpr std::time_t kPatienceS = 5;
constexpr int kServiceUnavailable = 503;
constexpr int kInternalError = 500;

void AnswerFaults(const std::vector<std::string>& faults, httplib::Response& response) {
  if (faults.empty()) {
    response.set_content("ok\n", kText);
    return;
  }
  response.status = kServiceUnavailable;
  response.set_content(fmt::format("{}\n", fmt::join(faults, "\n")), kText);
}

}  // namespace

AdminEndpoint::AdminEndpoint(const std::string& listen, AdminAnswers answers)
    : answers_(std::move(answers)), server_(std::make_unique<httplib::Server>()) {
  server_->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server_->set_keep_alive_max_count(1);  // An idle connection would keep a thread.
  server_->set_exception_handler([](const httplib::Request& request, httplib::Response& response,
                                    const std::exception_ptr& /*exception*/) {
    log::Error(fmt::format("{} could not be answered", request.path));
    response.status = kInternalError;
  });
  server_->set_payload_max_length(kRequestBytesMax);
  server_->set_read_timeout(kPatienceS);
  server_->set_write_timeout(kPatienceS);
  // Not the library's SO_REUSEPORT, with which two processes would share a port unawares.
  server_->set_socket_options([](socket_t socket) {
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  Route();
  const HostAndPort address = ParseHostAndPort(listen).value_or(HostAndPort{});
  errno = 0;
  int port = address.port;
  bool bound = false;
  if (port == 0) {
    port = server_->bind_to_any_port(address.host);
    bound = port > 0;
  } else {
    bound = server_->bind_to_port(address.host, port);
  }
  if (!bound) {
    log::Warn(fmt::format(
        "admin.listen: {} cannot be listened on ({}): this process has no /readyz and no /metrics; "
        "give each process an address of its own, or set it to off",
        listen, errno == 0 ? "no such address" : std::generic_category().message(errno)));
    return;
  }
  const bool numeric_v6 = address.host.find(':') != std::string::npos;
  log::Info(fmt::format("answering at http://{}:{}/metrics",
                        numeric_v6 ? '[' + address.host + ']' : address.host, port));
  thread_ = std::thread([this] {
    server_->listen_after_bind();
    has_ended_ = true;
  });
}

// httplib's stop() does nothing before the loop has begun.
AdminEndpoint::~AdminEndpoint() {
  if (!thread_.joinable()) return;
  while (!server_->is_running() && !has_ended_) std::this_thread::sleep_for(kStopStep);
  server_->stop();
  thread_.join();
}

void AdminEndpoint::Route() {
  server_->Get("/livez", [this](const httplib::Request&, httplib::Response& response) {
    AnswerFaults(answers_.liveness_faults(), response);
  });
  server_->Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
    AnswerFaults(answers_.readiness_faults(), response);
  });
  server_->Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(answers_.metrics(), kPrometheusText);
  });
}

}  // namespace iq
