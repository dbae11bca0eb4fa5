// What is looked up when somebody asks for the metrics: the workers, the servers, the queues, the
// journal and the plugins. What is counted as it happens is in host/metrics.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/admin/health.h"
#include "host/broker/broker.h"
#include "host/config.h"
#include "host/plugin_directory.h"
#include "host/store/store.h"

namespace iq {

// Thread-safe: one question at a time. Asks the broker and the database on connections of its own,
// once in five seconds at most, and leaves out what it cannot find out.
class Scrape {
 public:
  // All must outlive this object.
  Scrape(const Config& config, const PluginDirectory& plugins, Broker& broker, Store& store);

  // Everything, in Prometheus's text format.
  std::string Text(HostPhase phase);

 private:
  using Clock = std::chrono::steady_clock;
  using Families = std::vector<prometheus::MetricFamily>;

  void AddWorkers(Families& families) const;
  void AddPlugins(Families& families) const;
  void LookAtServers();
  Families LookAtQueues();
  Families LookAtJournal();

  const Config& config_;
  const PluginDirectory& plugins_;
  Broker& broker_;
  std::unique_ptr<Session> session_;
  std::mutex mutex_;
  Clock::time_point looked_at_{};
  Families seen_;  // Of the servers, then.
};

}  // namespace iq
