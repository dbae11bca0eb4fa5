#include "host/admin/scrape.h"

#include <prometheus/text_serializer.h>

#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "host/base/error.h"
#include "host/base/log.h"
#include "host/base/outage.h"
#include "host/metrics.h"
#include "host/store/journal_table.h"
#include "host/topology.h"
#include "host/version.h"
#include "host/worker_state.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using Labels = std::vector<prometheus::ClientMetric::Label>;

constexpr auto kLookEvery = 5s;
constexpr auto kStatementMax = 2s;

// Values of one name, as they are now.
class Reading {
 public:
  Reading(std::string name, std::string help,
          prometheus::MetricType type = prometheus::MetricType::Gauge)
      : family_{std::move(name), std::move(help), type, {}} {}

  Reading& Add(Labels labels, double value) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = value;
    metric.counter.value = value;
    family_.metric.push_back(std::move(metric));
    return *this;
  }

  prometheus::MetricFamily Take() { return std::move(family_); }

 private:
  prometheus::MetricFamily family_;
};

prometheus::MetricFamily BuildInfo() {
  return Reading("iq_build_info", "1; the labels say which iq this is.")
      .Add({{"version", std::string(kVersion)}}, 1)
      .Take();
}

}  // namespace

Scrape::Scrape(const Config& config, const PluginDirectory& plugins, Broker& broker, Store& store)
    : config_(config), plugins_(plugins), broker_(broker), store_(store) {}

std::string Scrape::Text(HostPhase phase) {
  Families families = Metrics::OfThisProcess().Collect();
  families.push_back(BuildInfo());
  families.push_back(Reading("iq_ready", "1 when this process can carry out commands, as /readyz.")
                         .Add({}, ReadinessFaults(phase).empty() ? 1 : 0)
                         .Take());
  AddWorkers(families);
  AddPlugins(families);
  const Families seen = LookAtServers();
  families.insert(families.end(), seen.begin(), seen.end());
  return prometheus::TextSerializer().Serialize(families);
}

void Scrape::AddWorkers(Families& families) const {
  struct Sum {
    double workers = 0;
    double consuming = 0;
    double blocked = 0;
    double in_flight = 0;
    double unconfirmed = 0;
  };
  std::map<std::string, Sum> by_queue;
  for (const WorkerReport& worker : WorkerState::OfThisProcess()) {
    Sum& sum = by_queue[worker.queue];
    sum.workers += 1;
    sum.consuming += worker.consuming ? 1 : 0;
    sum.blocked += worker.publishing_blocked ? 1 : 0;
    sum.in_flight += static_cast<double>(worker.in_flight);
    sum.unconfirmed += static_cast<double>(worker.unconfirmed);
  }
  Reading workers("iq_workers", "Workers of this process, by the queue that they are for.");
  Reading consuming("iq_workers_consuming", "Workers that the broker counts as consumers.");
  Reading blocked("iq_workers_blocked", "Workers from which the broker takes no messages.");
  Reading in_flight("iq_deliveries_in_flight", "Deliveries received and not acknowledged.");
  Reading unconfirmed("iq_deliveries_unconfirmed",
                      "Deliveries whose events, replies or dead letters the broker has not "
                      "confirmed.");
  for (const auto& [queue, sum] : by_queue) {
    workers.Add({{"queue", queue}}, sum.workers);
    consuming.Add({{"queue", queue}}, sum.consuming);
    blocked.Add({{"queue", queue}}, sum.blocked);
    in_flight.Add({{"queue", queue}}, sum.in_flight);
    unconfirmed.Add({{"queue", queue}}, sum.unconfirmed);
  }
  for (Reading* reading : {&workers, &consuming, &blocked, &in_flight, &unconfirmed}) {
    families.push_back(reading->Take());
  }
  Reading away("iq_server_away", "1 while this process cannot reach the server.");
  Reading outages("iq_server_outages_total", "Outages of the server that this process has met.",
                  prometheus::MetricType::Counter);
  for (const ServerState& state : ServerStates()) {
    away.Add({{"server", state.server}}, state.away ? 1 : 0);
    outages.Add({{"server", state.server}}, static_cast<double>(state.outages));
  }
  families.push_back(away.Take());
  families.push_back(outages.Take());
}

void Scrape::AddPlugins(Families& families) const {
  Reading generation("iq_plugin_generation", "Generation of the plugin that serves.");
  Reading refused("iq_plugin_files_refused", "Files of plugins.directory that do not serve.");
  double refusals = 0;
  for (const PluginFile& file : plugins_.files()) {
    if (!file.reason.empty()) refusals += 1;
    if (file.plugin == nullptr) continue;
    generation.Add({{"plugin", std::string(file.plugin->name())},
                    {"version", std::string(file.plugin->version())}},
                   static_cast<double>(file.plugin->generation()));
  }
  refused.Add({}, refusals);
  families.push_back(generation.Take());
  families.push_back(refused.Take());
}

Scrape::Families Scrape::LookAtServers() {
  const std::unique_lock looking(looking_, std::try_to_lock);
  const bool due =
      looking && (looked_at_ == Clock::time_point{} || Clock::now() - looked_at_ >= kLookEvery);
  if (!due) {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  Families seen;
  for (const auto look : {&Scrape::LookAtQueues, &Scrape::LookAtJournal}) {
    try {
      Families found = (this->*look)();
      std::move(found.begin(), found.end(), std::back_inserter(seen));
    } catch (const std::exception& error) {
      log::Debug(error.what());  // iq_server_away and the log say what is wrong.
    }
  }
  looked_at_ = Clock::now();
  const std::lock_guard lock(mutex_);
  seen_ = std::move(seen);
  return seen_;
}

Scrape::Families Scrape::LookAtQueues() const {
  Reading ready("iq_queue_messages", "Messages in the queue that wait to be delivered.");
  Reading consumers("iq_queue_consumers", "Consumers of the queue, of all processes.");
  std::set<std::string> queues{config_.dead_letter.queue};
  for (const ConsumerConfig& consumer : config_.consumers) {
    queues.insert(consumer.queue);
    for (const auto delay : config_.retry.delays) queues.insert(DelayQueue(consumer.queue, delay));
  }
  for (const std::string& queue : queues) {
    const auto state = broker_.Inspect(queue);
    if (!state) continue;
    ready.Add({{"queue", queue}}, static_cast<double>(state->ready));
    consumers.Add({{"queue", queue}}, static_cast<double>(state->consumers));
  }
  return {ready.Take(), consumers.Take()};
}

// On a session that ends with the look: one that is kept would pass for away after a restart of the
// server, until the next look.
Scrape::Families Scrape::LookAtJournal() const {
  const auto session = store_.Open(kStatementMax);
  const auto extent = session->journal().Measure();
  return {Reading("iq_journal_rows", "Rows of the journal, about.")
              .Add({}, static_cast<double>(extent.rows))
              .Take(),
          Reading("iq_journal_oldest_seconds", "Age of the oldest row of the journal.")
              .Add({}, std::chrono::duration<double>(extent.oldest).count())
              .Take()};
}

}  // namespace iq
