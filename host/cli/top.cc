// iq top: what the running hosts of this machine do, as it happens, and what waits in the queues.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "host/base/error.h"
#include "host/broker/broker.h"
#include "host/cli/stop_request.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/config_text.h"
#include "host/plugin_report.h"
#include "host/topology.h"

namespace iq::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr const char* kClearScreen = "\x1b[H\x1b[2J";
constexpr auto kStep = 100ms;  // How soon a signal is seen.
// Hosts write their reports once a second.
constexpr std::chrono::milliseconds kEveryMin = 1s;
constexpr std::chrono::milliseconds kEveryMax = 1h;
constexpr std::uint64_t kCountMax = 1'000'000'000;

struct TopOptions {
  std::string every = "1s";
  std::uint64_t count = 0;  // 0: no end.
};

// Of one plugin and version, in all processes.
struct Work {
  OutcomeCounts counts;
  std::set<std::string> types;
};

struct Look {
  Clock::time_point at;
  std::size_t processes = 0;
  std::map<std::pair<std::string, std::string>, Work> plugins;  // By name and version.
  std::vector<std::pair<std::string, std::optional<Broker::QueueState>>> queues;
  std::string broker_fault;
};

std::vector<std::string> QueuesOf(const Config& config) {
  std::vector<std::string> queues;
  for (const ConsumerConfig& consumer : config.consumers) {
    queues.push_back(consumer.queue);
    for (const auto delay : config.retry.delays)
      queues.push_back(DelayQueue(consumer.queue, delay));
  }
  queues.push_back(config.dead_letter.queue);
  return queues;
}

Look LookAround(const Config& config, Broker& broker) {
  Look look;
  look.at = Clock::now();
  for (const PluginReport& report : ReadPluginReports(config.plugins.flight_recorder)) {
    ++look.processes;
    for (const ReportedPlugin& each : report.plugins) {
      if (each.state != kServes) continue;
      Work& work = look.plugins[{each.plugin, each.version}];
      work.counts.done += each.counts.done;
      work.counts.rejected += each.counts.rejected;
      work.counts.failed += each.counts.failed;
      work.counts.retried += each.counts.retried;
      work.types.insert(each.types.begin(), each.types.end());
      work.types.insert(each.listeners.begin(), each.listeners.end());
    }
  }
  try {
    for (const std::string& queue : QueuesOf(config)) {
      look.queues.emplace_back(queue, broker.Inspect(queue));
    }
  } catch (const Unavailable& error) {
    look.queues.clear();
    look.broker_fault = error.what();
  }
  return look;
}

// A second, since the look before; of a process that has ended meanwhile its part is missing.
std::int64_t Rate(std::uint64_t now, std::uint64_t before, double seconds) {
  if (now <= before || seconds <= 0) return 0;
  return std::llround(static_cast<double>(now - before) / seconds);
}

Table WorkTable(const Look& look, const Look& before) {
  Table table({"plugin", "version", "types", "done_a_second", "rejected_a_second",
               "failed_a_second", "retried_a_second", "done", "rejected", "failed", "retried"});
  const double seconds = std::chrono::duration<double>(look.at - before.at).count();
  for (const auto& [name, work] : look.plugins) {
    const auto earlier = before.plugins.find(name);
    const OutcomeCounts& now = work.counts;
    const OutcomeCounts then = earlier == before.plugins.end() ? now : earlier->second.counts;
    table.Add({name.first, name.second,
               std::vector<std::string>(work.types.begin(), work.types.end()),
               Rate(now.done, then.done, seconds), Rate(now.rejected, then.rejected, seconds),
               Rate(now.failed, then.failed, seconds), Rate(now.retried, then.retried, seconds),
               static_cast<std::int64_t>(now.done), static_cast<std::int64_t>(now.rejected),
               static_cast<std::int64_t>(now.failed), static_cast<std::int64_t>(now.retried)});
  }
  return table;
}

Table QueueTable(const Look& look) {
  Table table({"queue", "ready", "consumers"});
  for (const auto& [queue, state] : look.queues) {
    table.Add({queue, state ? Cell(static_cast<std::int64_t>(state->ready)) : Cell(),
               state ? Cell(static_cast<std::int64_t>(state->consumers)) : Cell()});
  }
  return table;
}

std::string Frame(const Look& look, const Look& before, const std::string& broker) {
  std::string text = fmt::format("{:%H:%M:%S}  {} processes on this machine, {}\n\n",
                                 fmt::localtime(std::time(nullptr)), look.processes, broker);
  if (!look.broker_fault.empty()) text += look.broker_fault + '\n';
  text += QueueTable(look).Text();
  const std::string work = WorkTable(look, before).Text();
  return text + '\n' + (work.empty() ? "no host of this configuration runs here\n" : work);
}

// False when somebody ended it meanwhile.
bool WaitUntil(Clock::time_point due, const StopRequest& stop) {
  while (Clock::now() < due) {
    if (stop.Came()) return false;
    std::this_thread::sleep_for(std::min<Clock::duration>(kStep, due - Clock::now()));
  }
  return !stop.Came();
}

int Watch(const Config& config, const TopOptions& options, bool json) {
  RequireUrls(config);
  const auto every = ParseDuration(options.every);
  if (!every || *every < kEveryMin || *every > kEveryMax) {
    throw UsageError(fmt::format("--every {}: write a duration from 1s to 1h", options.every));
  }
  const StopRequest stop;
  const auto broker = OpenBroker(config.broker.url, "iq top");
  const bool terminal = !json && isatty(STDOUT_FILENO) != 0;
  Look before = LookAround(config, *broker);
  for (std::uint64_t shown = 0; options.count == 0 || shown < options.count; ++shown) {
    if (!WaitUntil(before.at + *every, stop)) break;
    Look look = LookAround(config, *broker);
    if (json) {
      Print(QueueTable(look).JsonLines() + WorkTable(look, before).JsonLines());
    } else {
      Print((terminal ? kClearScreen : "") + Frame(look, before, broker->name()) +
            (terminal ? "" : "\n"));
    }
    before = std::move(look);
  }
  return kDone;
}

}  // namespace

void AddTop(CLI::App& app, Invocation& invocation) {
  CLI::App* verb =
      AddVerb(app, invocation, "top",
              "Show what the hosts of this machine do, and what waits, as it happens", Rows::kYes);
  const auto options = std::make_shared<TopOptions>();
  verb->add_option("--every", options->every, "How often it looks")->capture_default_str();
  verb->add_option("--count", options->count, "End after as many looks")
      ->check(CLI::Range(std::uint64_t{1}, kCountMax));
  verb->callback([&invocation, options] {
    invocation.work = [&invocation, options] {
      return Watch(invocation.LoadQuietly(), *options, invocation.json);
    };
  });
}

}  // namespace iq::cli
