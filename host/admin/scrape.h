// What is looked up when somebody asks for the metrics: the workers, the servers, the queues, the
// journal and the plugins. What is counted as it happens is in host/metrics.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "host/admin/health.h"
#include "host/broker/broker.h"
#include "host/config.h"
#include "host/plugin_directory.h"
#include "host/store/store.h"

namespace iq {

// Thread-safe. Asks the broker and the database on connections of its own, once in five seconds at
// most, and leaves out what it cannot find out. Who comes while another asks gets the answers
// before.
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
  Families LookAtServers();
  Families LookAtQueues() const;
  Families LookAtJournal() const;

  const Config& config_;
  const PluginDirectory& plugins_;
  Broker& broker_;
  Store& store_;
  std::mutex looking_;  // Held by who asks the servers.
  Clock::time_point looked_at_{};
  std::mutex mutex_;  // Guards what follows.
  Families seen_;     // Of the servers, the last time.
};

}  // namespace iq
