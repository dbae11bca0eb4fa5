#include "host/admin/live.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "host/admin/api.h"
#include "host/admin/gather.h"
#include "host/base/json_text.h"
#include "host/base/log.h"
#include "host/store/journal_table.h"
#include "host/topology.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr auto kEvery = 1s;
constexpr auto kQueuesEvery = 2s;
constexpr auto kJournalEvery = 10s;
constexpr auto kRemembered = 5min;
constexpr auto kSignOfLife = 15s;
constexpr auto kStatementMax = 2s;

struct NamedQueue {
  std::string name;
  const char* kind;
};

std::vector<NamedQueue> QueuesOf(const Config& config) {
  std::vector<NamedQueue> queues;
  for (const ConsumerConfig& consumer : config.consumers) {
    queues.push_back({consumer.queue, "commands"});
    for (const auto delay : config.retry.delays) {
      queues.push_back({DelayQueue(consumer.queue, delay), "delay"});
    }
  }
  queues.push_back({config.dead_letter.queue, "dead"});
  return queues;
}

// Says of the server what this process has met itself.
void NoteFault(Json& pulse, const std::string& server, const std::string& fault) {
  if (fault.empty()) return;
  for (Json& each : pulse["servers"]) {
    if (each["name"] != server || each["away"] == true) continue;
    each["away"] = true;
    each["reason"] = fault;
  }
}

// One event of text/event-stream; `data` has no line breaks.
std::string Event(const char* name, const std::string& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, data);
}

}  // namespace

Live::Viewer::Viewer(Live& live) : live_(live) {}

Live::Viewer::~Viewer() {
  const std::lock_guard lock(live_.mutex_);
  --live_.viewers_;
}

std::optional<std::string> Live::Viewer::Next() {
  std::unique_lock lock(live_.mutex_);
  if (!std::exchange(began_, true)) {
    std::string past;
    for (const Past& each : live_.past_) past += (past.empty() ? "" : ",") + each.pulse;
    seen_ = live_.last_;
    return Event("past", '[' + past + ']');
  }
  live_.changed_.wait_for(lock, kSignOfLife,
                          [this] { return live_.stopping_ || live_.last_ != seen_; });
  if (live_.stopping_) return std::nullopt;
  if (live_.last_ == seen_) return ": nothing new\n\n";
  std::string events;
  for (const Past& each : live_.past_) {
    if (each.number > seen_) events += Event("pulse", each.pulse);
  }
  seen_ = live_.last_;
  return events;
}

Live::Live(const Config& config, Broker& broker, Store& store, const std::string& locks,
           std::function<Json()> jobs)
    : config_(config),
      broker_(broker),
      store_(store),
      servers_{broker.name(), store.name(), locks},
      jobs_(std::move(jobs)) {}

Live::~Live() { Stop(); }

std::shared_ptr<Live::Viewer> Live::Watch() {
  const std::lock_guard lock(mutex_);
  if (viewers_ == kViewersMax) {
    throw ApiError(ApiError::kUnavailable,
                   fmt::format("{} are watching already; close one", kViewersMax));
  }
  if (!thread_.joinable() && !stopping_) thread_ = std::thread([this] { Run(); });
  auto viewer = std::make_shared<Viewer>(*this);
  ++viewers_;
  changed_.notify_all();
  return viewer;
}

void Live::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Live::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (viewers_ == 0) {
      changed_.wait(lock, [this] { return stopping_ || viewers_ > 0; });
      // What came while nobody looked, for long, is not of the last minutes.
      if (Clock::now() - looked_at_ > kRemembered) pulses_.reset();
    }
    if (stopping_) return;
    const auto due = Clock::now() + kEvery;
    lock.unlock();
    std::string pulse;
    try {
      pulse = Look();
    } catch (const std::exception& error) {
      log::Debug(error.what());
    }
    lock.lock();
    if (!pulse.empty()) Remember(std::move(pulse));
    changed_.notify_all();
    changed_.wait_until(lock, due, [this] { return stopping_; });
  }
}

std::string Live::Look() {
  const auto now = looked_at_ = Clock::now();
  const auto processes = LookAtProcesses(config_.plugins.flight_recorder);
  if (!pulses_) pulses_.emplace();
  Json pulse = pulses_->Next(now, processes, servers_);
  LookAtQueues(pulse);
  LookAtJournal(pulse);
  pulse["jobs"] = jobs_();
  return JsonText(pulse);
}

void Live::LookAtQueues(Json& pulse) {
  if (Clock::now() >= queues_due_) {
    queues_due_ = Clock::now() + kQueuesEvery;
    Json found = Json::array();
    broker_fault_.clear();
    try {
      for (const NamedQueue& queue : QueuesOf(config_)) {
        const auto state = broker_.Inspect(queue.name);
        found.push_back({{"name", queue.name},
                         {"kind", queue.kind},
                         {"ready", state ? Json(state->ready) : Json()},
                         {"consumers", state ? Json(state->consumers) : Json()}});
      }
    } catch (const std::exception& error) {
      broker_fault_ = error.what();
    }
    queues_ = std::move(found);
  }
  NoteFault(pulse, broker_.name(), broker_fault_);
  pulse["queues"] = queues_;
}

void Live::LookAtJournal(Json& pulse) {
  if (Clock::now() >= journal_due_) {
    journal_due_ = Clock::now() + kJournalEvery;
    store_fault_.clear();
    try {
      const auto extent = store_.Open(kStatementMax)->journal().Measure();
      journal_ = {{"rows", extent.rows},
                  {"oldestSeconds", std::chrono::duration<double>(extent.oldest).count()}};
    } catch (const std::exception& error) {
      store_fault_ = error.what();
      journal_ = nullptr;
    }
  }
  NoteFault(pulse, store_.name(), store_fault_);
  pulse["journal"] = journal_;
}

void Live::Remember(std::string pulse) {
  const auto now = Clock::now();
  past_.push_back({++last_, now, std::move(pulse)});
  while (now - past_.front().at > kRemembered) past_.pop_front();
}

}  // namespace iq
