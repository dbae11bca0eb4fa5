#include "host/admin/process_report.h"

#include <prometheus/metric_family.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "host/base/outage.h"
#include "host/base/rfc3339.h"
#include "host/metrics.h"
#include "host/version.h"
#include "host/worker_state.h"

namespace iq {
namespace {

using Json = nlohmann::ordered_json;
using prometheus::ClientMetric;
using prometheus::MetricFamily;

const std::map<std::string, std::string> kCounts{{"iq_commands_repeated_total", "repeated"},
                                                 {"iq_commands_without_id_total", "withoutId"},
                                                 {"iq_retries_total", "retries"},
                                                 {"iq_dead_letters_total", "deadLetters"},
                                                 {"iq_plugin_crashes_total", "crashes"}};
const std::map<std::string, std::string> kHistograms{{"iq_command_seconds", "latency"},
                                                     {"iq_batch_commands", "batch"}};

const char* Name(HostPhase phase) {
  switch (phase) {
    case HostPhase::kStarting:
      return "starting";
    case HostPhase::kServing:
      return "serving";
    case HostPhase::kStopping:
      break;
  }
  return "stopping";
}

std::string Label(const ClientMetric& metric, const char* name) {
  for (const ClientMetric::Label& label : metric.label) {
    if (label.name == name) return label.value;
  }
  return {};
}

Json Commands(const MetricFamily& family) {
  Json commands = Json::array();
  for (const ClientMetric& metric : family.metric) {
    commands.push_back({{"type", Label(metric, "type")},
                        {"outcome", Label(metric, "outcome")},
                        {"count", metric.counter.value}});
  }
  return commands;
}

double Sum(const MetricFamily& family) {
  double sum = 0;
  for (const ClientMetric& metric : family.metric) sum += metric.counter.value;
  return sum;
}

Json Histogram(const ClientMetric::Histogram& histogram) {
  Json buckets = Json::array();
  for (const ClientMetric::Bucket& bucket : histogram.bucket) {
    const Json bound = std::isinf(bucket.upper_bound) ? Json() : Json(bucket.upper_bound);
    buckets.push_back(Json::array({bound, bucket.cumulative_count}));
  }
  return {{"sum", histogram.sample_sum}, {"count", histogram.sample_count}, {"buckets", buckets}};
}

void AddCounted(Json& report) {
  report["counts"] = Json::object();
  for (const MetricFamily& family : Metrics::OfThisProcess().Collect()) {
    if (family.name == "iq_commands_total") report["commands"] = Commands(family);
    const auto count = kCounts.find(family.name);
    if (count != kCounts.end()) report["counts"][count->second] = Sum(family);
    const auto histogram = kHistograms.find(family.name);
    if (histogram == kHistograms.end() || family.metric.empty()) continue;
    report[histogram->second] = Histogram(family.metric.front().histogram);
  }
}

Json Workers() {
  Json workers = Json::array();
  const auto now = std::chrono::steady_clock::now();
  for (const WorkerReport& worker : WorkerState::OfThisProcess()) {
    const std::chrono::duration<double> silent = now - worker.noted_at;
    workers.push_back({{"queue", worker.queue},
                       {"consuming", worker.consuming},
                       {"blocked", worker.publishing_blocked},
                       {"inFlight", worker.in_flight},
                       {"unconfirmed", worker.unconfirmed},
                       {"silentSeconds", silent.count()}});
  }
  return workers;
}

Json Servers() {
  Json servers = Json::array();
  for (const ServerState& state : ServerStates()) {
    servers.push_back({{"name", state.server}, {"away", state.away}, {"reason", state.reason}});
  }
  return servers;
}

}  // namespace

Json ProcessReport(HostPhase phase, std::chrono::system_clock::time_point started_at) {
  Json report{{"pid", getpid()},
              {"version", std::string(kVersion)},
              {"startedAt", Rfc3339(started_at)},
              {"phase", Name(phase)},
              {"faults", ReadinessFaults(phase)},
              {"workers", Workers()},
              {"servers", Servers()}};
  AddCounted(report);
  return report;
}

}  // namespace iq
