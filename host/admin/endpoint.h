// The address where a process answers to http: /livez, /readyz, /metrics, /process and the page.
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

class Console;

// What it tells, where it is set. Called on the endpoint's own threads.
struct AdminAnswers {
  std::function<std::vector<std::string>()> liveness_faults{};
  std::function<std::vector<std::string>()> readiness_faults{};
  std::function<std::string()> metrics{};  // In Prometheus's text format.
  std::function<std::string()> process{};  // JSON, as host/admin/process_report says.
  Console* console = nullptr;
};

class AdminEndpoint {
 public:
  // Listens at `listen`, HOST:PORT, which `setting` is the name of. address() is empty where it
  // cannot be had.
  AdminEndpoint(const std::string& setting, const std::string& listen, AdminAnswers answers);
  AdminEndpoint(const AdminEndpoint&) = delete;
  AdminEndpoint& operator=(const AdminEndpoint&) = delete;
  ~AdminEndpoint();

  // HOST:PORT where a process of this machine reaches it; empty where it does not listen.
  const std::string& address() const { return address_; }

 private:
  void Configure();
  void Route();
  void RouteFaults(const char* path, const std::function<std::vector<std::string>()>& faults);
  bool Bind(const std::string& setting, const std::string& listen);

  AdminAnswers answers_;
  std::string address_;
  std::unique_ptr<httplib::Server> server_;
  std::atomic<bool> has_ended_{false};  // The server's loop.
  std::thread thread_;
};

}  // namespace iq
