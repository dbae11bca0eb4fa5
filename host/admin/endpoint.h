// The address where a process answers to http: /livez, /readyz and /metrics.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace httplib {
class Server;
}

namespace iq {

// What it tells. Called on the endpoint's own threads.
struct AdminAnswers {
  std::function<std::vector<std::string>()> liveness_faults;
  std::function<std::vector<std::string>()> readiness_faults;
  std::function<std::string()> metrics;  // In Prometheus's text format.
};

class AdminEndpoint {
 public:
  // Listens at `listen`, as config.h's AdminConfig has it, which must not be off. An address that
  // cannot be had is a warning: the process does its work without.
  AdminEndpoint(const std::string& listen, AdminAnswers answers);
  AdminEndpoint(const AdminEndpoint&) = delete;
  AdminEndpoint& operator=(const AdminEndpoint&) = delete;
  ~AdminEndpoint();

 private:
  void Route();

  AdminAnswers answers_;
  std::unique_ptr<httplib::Server> server_;
  std::atomic<bool> has_ended_{false};  // The server's loop.
  std::thread thread_;
};

}  // namespace iq
