#include "host/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "host/admin/process_report.h"
#include "host/base/error.h"
#include "host/base/log.h"
#include "host/base/outage.h"
#include "host/plugin_watch.h"
#include "host/suspects.h"
#include "host/sweeper.h"
#include "host/topology.h"
#include "host/version.h"
#include "host/worker.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

// On top of what handlers may take: a worker that has not turned for so long hangs.
constexpr auto kSilenceMargin = 60s;

// Repeats `attempt` until it succeeds or `stop` is set. True when it succeeded.
template <typename Attempt>
bool UntilAvailable(const std::string& server, const std::atomic<bool>& stop, Attempt attempt) {
  Outage outage(server);
  while (!stop) {
    try {
      attempt();
      outage.Ended();
      return true;
    } catch (const Unavailable& error) {
      outage.Failed(error.what(), error.mend());
    }
    std::this_thread::sleep_for(outage.UntilNextAttempt());
  }
  return false;
}

// Room for every worker's batch, and for the workers of listeners that may come.
FlightRecorder::Size RecorderSize(const Config& config) {
  constexpr std::uint32_t kListenersMax = 32;
  FlightRecorder::Size size{kListenersMax, 1};
  for (const ConsumerConfig& consumer : config.consumers) {
    size.slots += consumer.workers;
    size.commands_max = std::max(size.commands_max, consumer.batch);
  }
  return size;
}

}  // namespace

Drivers Drivers::Open(const Config& config) {
  return {OpenBroker(config.broker.url, "iq"), OpenStore(config.store.url),
          OpenLocks(config.locks.url, config.locks.lease)};
}

Host::Host(Config config) : Host(config, Drivers::Open(config), std::chrono::system_clock::now) {}

Host::Host(Config config, Drivers drivers, WallClock clock)
    : config_(std::move(config)),
      plugins_(config_.plugins, PluginDirectory::Use::kServe),
      drivers_(std::move(drivers)),
      clock_(std::move(clock)),
      recorder_(config_.plugins.flight_recorder, RecorderSize(config_)) {
  if (plugins_.routes()->empty()) {
    throw UsageError(
        fmt::format("plugins.directory: no plugin in {} can serve", config_.plugins.directory));
  }
}

Host::~Host() { Drain(); }

void Host::Start(const std::atomic<bool>& stop) {
  Answer();
  // Early as well: those who show all processes find it by its report.
  reporter_.emplace(recorder_, plugins_, endpoint_ ? endpoint_->address() : "");
  CheckMigrated(stop);
  Declare(stop);
  if (stop) return;
  // The one that took its place says at once what a process has died of.
  Suspects suspects(recorder_.folder(),
                    [this](const std::string& plugin, const std::string& death) {
                      plugins_.NoteDeath(plugin, death);
                    });
  suspects.TakeOver();
  suspects.Prune();
  plugins_.Tend();  // What those deaths mean is seen before the first command.
  watchdog_.emplace(recorder_, config_.limits.deadline);
  OpenSpans();
  listener_workers_.emplace(Surrounding(config_.consumers[0]));
  // Before the first command: its events are to find their queues.
  UntilAvailable(drivers_.broker->name(), stop, [this] { listener_workers_->Follow(); });
  for (const ConsumerConfig& consumer : config_.consumers) {
    for (std::uint32_t i = 0; i < consumer.workers; ++i) {
      threads_.emplace_back([this, &consumer] { Worker(Surrounding(consumer)).Run(draining_); });
    }
  }
  threads_.emplace_back(
      [this] { Sweeper(config_, *drivers_.broker, *drivers_.store).Run(draining_); });
  threads_.emplace_back([this] { listener_workers_->Run(draining_); });
  threads_.emplace_back([this] { PluginWatch(plugins_, *reporter_).Run(draining_); });
  phase_ = HostPhase::kServing;
  const auto routes = plugins_.routes();
  log::Info(fmt::format("iq {} is ready: {} command types, {} listeners", kVersion,
                        routes->types.size(), routes->listeners.size()));
}

// From the start on: who waits for a server is to be seen to wait.
void Host::Answer() {
  if (config_.admin.listen == AdminConfig::kOff) return;
  scrape_.emplace(config_, plugins_, *drivers_.broker, *drivers_.store);
  const auto silence_max = 3 * config_.limits.deadline + kSilenceMargin;
  console_.emplace(config_, *drivers_.broker, *drivers_.store);
  endpoint_.emplace(
      "admin.listen", config_.admin.listen,
      AdminAnswers{[silence_max] { return LivenessFaults(silence_max); },
                   [this] { return ReadinessFaults(phase_); },
                   [this] { return scrape_->Text(phase_); },
                   [this] { return ProcessReport(phase_, started_at_).dump(); }, &*console_});
}

void Host::OpenSpans() {
  if (config_.tracing.host.empty()) return;
  const bool embedded = config_.broker.url.starts_with("sqlite:");
  spans_.emplace(config_.tracing, embedded ? "sqlite" : "rabbitmq");
}

WorkerSurroundings Host::Surrounding(const ConsumerConfig& consumer) {
  return {.config = config_,
          .consumer = consumer,
          .plugins = plugins_,
          .broker = *drivers_.broker,
          .store = *drivers_.store,
          .locks = *drivers_.locks,
          .clock = clock_,
          .recorder = &recorder_,
          .spans = spans_ ? &*spans_ : nullptr};
}

void Host::CheckMigrated(const std::atomic<bool>& stop) const {
  const auto session = drivers_.store->Open(config_.limits.deadline);
  UntilAvailable(drivers_.store->name(), stop, [&] {
    try {
      session->journal().Check();
    } catch (const StoreError& error) {
      throw UsageError(fmt::format("{}: the journal cannot be read ({}); run `iq migrate` first",
                                   drivers_.store->name(), error.what()));
    }
  });
}

void Host::Declare(const std::atomic<bool>& stop) const {
  const Topology topology = MakeTopology(config_);
  UntilAvailable(drivers_.broker->name(), stop, [&] { drivers_.broker->Declare(topology); });
}

void Host::Drain() {
  draining_ = true;
  phase_ = HostPhase::kStopping;
  // What ends the process with an exception may be a plugin's doing: it may have taken all memory.
  if (std::uncaught_exceptions() == 0) recorder_.NoteStopping();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  reporter_.reset();
  listener_workers_.reset();
  watchdog_.reset();
  spans_.reset();
  if (console_) console_->Stop();
  endpoint_.reset();
  console_.reset();
}

}  // namespace iq
