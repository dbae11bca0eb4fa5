#include "host/admin/pulse.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "host/base/rfc3339.h"

namespace iq {
namespace {

using Json = nlohmann::ordered_json;

// Of a histogram: how many observations were at most the bound (infinity for the last one), and
// their sum.
struct Observed {
  std::vector<std::pair<std::optional<double>, double>> upto;
  double count = 0;
  double sum = 0;

  void Add(const Json& histogram, double sign) {
    const Json& buckets = histogram.at("buckets");
    upto.resize(std::max(upto.size(), buckets.size()));
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      const Json& bound = buckets[i].at(0);
      upto[i].first = bound.is_null() ? std::nullopt : std::optional(bound.get<double>());
      upto[i].second += sign * buckets[i].at(1).get<double>();
    }
    count += sign * histogram.at("count").get<double>();
    sum += sign * histogram.at("sum").get<double>();
  }

  // The value that `share` of the observations do not exceed, as if they were spread evenly within
  // each bucket. Above the last bound it is that bound.
  Json Quantile(double share) const {
    if (count <= 0) return nullptr;
    const double rank = share * count;
    double lower = 0;
    double below = 0;
    for (const auto& [bound, reached] : upto) {
      if (!bound) break;
      if (reached >= rank && reached > below) {
        return lower + (*bound - lower) * (rank - below) / (reached - below);
      }
      lower = *bound;
      below = reached;
    }
    return lower;
  }

  // The bound below which all observations are.
  Json Max() const {
    if (count <= 0) return nullptr;
    double last = 0;
    for (const auto& [bound, reached] : upto) {
      if (!bound) break;
      last = *bound;
      if (reached >= count) break;
    }
    return last;
  }
};

// What has been added up over all processes.
struct Sums {
  std::map<std::pair<std::string, std::string>, double> commands;  // By type and outcome.
  std::map<std::string, double> counts;
  Observed latency;
  Observed batch;

  void Add(const Json& report, double sign) {
    for (const Json& each : report.value("commands", Json::array())) {
      commands[{each.at("type"), each.at("outcome")}] += sign * each.at("count").get<double>();
    }
    const Json more = report.value("counts", Json::object());
    for (const auto& [name, count] : more.items()) counts[name] += sign * count.get<double>();
    if (report.contains("latency")) latency.Add(report["latency"], sign);
    if (report.contains("batch")) batch.Add(report["batch"], sign);
  }

  double Count(const std::string& name) const {
    const auto found = counts.find(name);
    return found == counts.end() ? 0 : found->second;
  }

  Json Commands() const {
    Json list = Json::array();
    for (const auto& [key, count] : commands) {
      if (count <= 0) continue;
      list.push_back({{"type", key.first}, {"outcome", key.second}, {"count", count}});
    }
    return list;
  }
};

Json ProcessEntry(const LookedAtProcess& process) {
  Json entry{
      {"pid", process.pid}, {"address", process.address}, {"answers", !process.report.is_null()}};
  for (const char* member : {"version", "phase", "startedAt", "faults", "workers"}) {
    entry[member] = process.report.is_null() ? Json() : process.report.value(member, Json());
  }
  return entry;
}

// A server is away where one process says so.
Json Servers(const std::vector<LookedAtProcess>& processes, const std::vector<std::string>& names) {
  std::map<std::string, std::string> reasons;  // Of those that are away.
  for (const LookedAtProcess& process : processes) {
    if (process.report.is_null()) continue;
    for (const Json& server : process.report.value("servers", Json::array())) {
      if (server.at("away").get<bool>()) reasons[server.at("name")] = server.at("reason");
    }
  }
  Json servers = Json::array();
  for (const std::string& name : names) {
    const auto away = reasons.find(name);
    servers.push_back({{"name", name},
                       {"away", away != reasons.end()},
                       {"reason", away == reasons.end() ? "" : away->second}});
  }
  return servers;
}

}  // namespace

Json Pulses::Next(Clock::time_point now, const std::vector<LookedAtProcess>& processes,
                  const std::vector<std::string>& servers) {
  Sums sums;
  std::map<std::uint32_t, Json> reports;
  Json entries = Json::array();
  for (const LookedAtProcess& process : processes) {
    entries.push_back(ProcessEntry(process));
    const auto before = before_.find(process.pid);
    if (process.report.is_null()) {
      if (before != before_.end()) reports.insert(std::move(*before));  // It may answer again.
      continue;
    }
    // Another process of the same number starts from nothing.
    if (before != before_.end() &&
        before->second.value("startedAt", "") == process.report.value("startedAt", "")) {
      sums.Add(process.report, 1);
      sums.Add(before->second, -1);
    }
    reports[process.pid] = process.report;
  }
  const bool first = looked_at_ == Clock::time_point{};
  Json pulse{{"at", Rfc3339(std::chrono::system_clock::now())},
             {"seconds", first ? 1.0 : std::chrono::duration<double>(now - looked_at_).count()},
             {"commands", sums.Commands()}};
  for (const char* name : {"repeated", "retries", "deadLetters", "withoutId"}) {
    pulse[name] = sums.Count(name);
  }
  pulse["latency"] = {{"count", sums.latency.count},
                      {"p50", sums.latency.Quantile(0.5)},
                      {"p95", sums.latency.Quantile(0.95)},
                      {"p99", sums.latency.Quantile(0.99)}};
  const Observed& batch = sums.batch;
  pulse["batch"] = {{"count", batch.count},
                    {"mean", batch.count > 0 ? Json(batch.sum / batch.count) : Json()},
                    {"max", batch.Max()}};
  pulse["servers"] = Servers(processes, servers);
  pulse["processes"] = std::move(entries);
  before_ = std::move(reports);
  looked_at_ = now;
  return pulse;
}

}  // namespace iq
