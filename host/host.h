// The running host: owns everything, in the order of construction.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "host/admin/console.h"
#include "host/admin/endpoint.h"
#include "host/admin/health.h"
#include "host/admin/scrape.h"
#include "host/broker/broker.h"
#include "host/call_watchdog.h"
#include "host/config.h"
#include "host/flight_recorder.h"
#include "host/listener_workers.h"
#include "host/locks/locks.h"
#include "host/plugin_directory.h"
#include "host/plugin_report.h"
#include "host/services.h"
#include "host/store/store.h"
#include "host/trace/span_exporter.h"
#include "host/worker.h"

namespace iq {

// What a host works on.
struct Drivers {
  std::unique_ptr<Broker> broker;
  std::unique_ptr<Store> store;
  std::unique_ptr<LockService> locks;

  // As the configuration's URLs say. Connects to nothing. Throws UsageError.
  static Drivers Open(const Config& config);
};

class Host {
 public:
  // Loads the plugins; connects to nothing. Throws UsageError. `clock` is what the plugins see as
  // the time.
  explicit Host(Config config);
  Host(Config config, Drivers drivers, WallClock clock);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host();

  // Waits for the servers, declares the topology and starts the workers, those of listeners first.
  // Returns early when `stop` is set. Throws UsageError when the database is not migrated,
  // TopologyMismatch when a queue stands with other arguments.
  void Start(const std::atomic<bool>& stop);

  // Finishes and settles what is in hand, gives the rest back and joins all threads: within
  // limits.shutdown, but for a handler that does not return.
  void Drain();

 private:
  void OpenSpans();
  WorkerSurroundings Surrounding(const ConsumerConfig& consumer);
  void Declare(const std::atomic<bool>& stop) const;
  void Answer();
  void CheckMigrated(const std::atomic<bool>& stop) const;

  const std::chrono::system_clock::time_point started_at_ = std::chrono::system_clock::now();
  Config config_;
  PluginDirectory plugins_;
  Drivers drivers_;
  WallClock clock_;
  FlightRecorder recorder_;
  std::atomic<bool> draining_{false};
  std::optional<SpanExporter> spans_;
  std::optional<CallWatchdog> watchdog_;
  std::optional<ListenerWorkers> listener_workers_;
  std::optional<PluginReporter> reporter_;
  std::vector<std::thread> threads_;
  std::atomic<HostPhase> phase_{HostPhase::kStarting};
  std::optional<Scrape> scrape_;
  std::optional<Console> console_;
  std::optional<AdminEndpoint> endpoint_;
};

}  // namespace iq
