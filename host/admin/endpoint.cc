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

#include "host/admin/console.h"
#include "host/base/log.h"
#include "host/config_text.h"

namespace iq {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kJson = "application/json";
constexpr const char* kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";
// For as many as the page may have at work at a time (host/admin/console), and some that tell of
// health and metrics meanwhile.
constexpr std::size_t kThreads = Console::kAtWorkMax + 4;
constexpr std::chrono::milliseconds kStopStep{5};
constexpr std::size_t kRequestBytesMax = 2 * 1024 * 1024;
constexpr std::time_t kPatienceS = 5;
constexpr int kServiceUnavailable = 503;
constexpr int kInternalError = 500;
constexpr int kLengthRequired = 411;

void AnswerFaults(const std::vector<std::string>& faults, httplib::Response& response) {
  if (faults.empty()) {
    response.set_content("ok\n", kText);
    return;
  }
  response.status = kServiceUnavailable;
  response.set_content(fmt::format("{}\n", fmt::join(faults, "\n")), kText);
}

std::string InUrl(const std::string& host) {
  return host.find(':') == std::string::npos ? host : '[' + host + ']';
}

// Where a socket that listens on every address is reached from this machine.
std::string FromHere(const std::string& host) {
  if (host == "0.0.0.0") return "127.0.0.1";
  return host == "::" ? "::1" : host;
}

}  // namespace

AdminEndpoint::AdminEndpoint(const std::string& setting, const std::string& listen,
                             AdminAnswers answers)
    : answers_(std::move(answers)), server_(std::make_unique<httplib::Server>()) {
  Configure();
  Route();
  if (!Bind(setting, listen)) return;
  thread_ = std::thread([this] {
    server_->listen_after_bind();
    has_ended_ = true;
  });
}

void AdminEndpoint::Configure() {
  server_->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server_->set_keep_alive_max_count(1);  // An idle connection would keep a thread.
  server_->set_exception_handler([](const httplib::Request& request, httplib::Response& response,
                                    const std::exception_ptr& /*exception*/) {
    log::Error(fmt::format("{} could not be answered", request.path));
    response.status = kInternalError;
  });
  // The library holds neither of the two to that length, and reads them before anybody is asked.
  server_->set_pre_routing_handler(
      [](const httplib::Request& request, httplib::Response& response) {
        if (!request.has_header("Transfer-Encoding") && !request.has_header("Content-Encoding")) {
          return httplib::Server::HandlerResponse::Unhandled;
        }
        response.status = kLengthRequired;
        return httplib::Server::HandlerResponse::Handled;
      });
  server_->set_payload_max_length(kRequestBytesMax);
  server_->set_tcp_nodelay(true);
  server_->set_read_timeout(kPatienceS);
  server_->set_write_timeout(kPatienceS);
  // Not the library's SO_REUSEPORT, with which two processes would share a port unawares.
  server_->set_socket_options([](socket_t socket) {
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
}

bool AdminEndpoint::Bind(const std::string& setting, const std::string& listen) {
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
        "{}: {} cannot be listened on ({}): nobody can ask this process for its health, its "
        "metrics "
        "or the page; give each process an address of its own, or set it to off",
        setting, listen, errno == 0 ? "no such address" : std::generic_category().message(errno)));
    return false;
  }
  log::Info(fmt::format("answering at http://{}:{}/", InUrl(address.host), port));
  address_ = fmt::format("{}:{}", InUrl(FromHere(address.host)), port);
  return true;
}

// httplib's stop() does nothing before the loop has begun.
AdminEndpoint::~AdminEndpoint() {
  if (!thread_.joinable()) return;
  while (!server_->is_running() && !has_ended_) std::this_thread::sleep_for(kStopStep);
  server_->stop();
  thread_.join();
}

void AdminEndpoint::Route() {
  RouteFaults("/livez", answers_.liveness_faults);
  RouteFaults("/readyz", answers_.readiness_faults);
  if (answers_.metrics) {
    server_->Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(answers_.metrics(), kPrometheusText);
    });
  }
  if (answers_.process) {
    server_->Get("/process", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(answers_.process(), kJson);
    });
  }
  if (answers_.console != nullptr) answers_.console->AddRoutes(*server_);
}

void AdminEndpoint::RouteFaults(const char* path,
                                const std::function<std::vector<std::string>()>& faults) {
  if (!faults) return;
  server_->Get(path, [&faults](const httplib::Request&, httplib::Response& response) {
    AnswerFaults(faults(), response);
  });
}

}  // namespace iq
