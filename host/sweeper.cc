#include "host/sweeper.h"

#include <fmt/format.h>

#include <set>
#include <thread>

#include "host/base/log.h"
#include "host/metrics.h"
#include "host/outgoing.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

constexpr auto kStep = 100ms;  // How soon it sees that it shall stop.
constexpr auto kTurnMax = 5s;
constexpr auto kPruneEvery = 60s;
// How long the broker may take for a page of events before another worker's turn comes.
constexpr auto kConfirmMax = 30s;
constexpr std::int64_t kPageRows = 500;
// Small enough that a batch of removals never holds up a writer for long.
constexpr std::int64_t kPruneRows = 1000;
constexpr const char* kNilUuid = "00000000-0000-0000-0000-000000000000";

}  // namespace

Sweeper::Sweeper(const Config& config, Broker& broker, Store& store)
    : config_(config),
      session_(store.Open(config.limits.deadline)),
      publisher_(broker.OpenPublisher()),
      journal_(*session_) {}

void Sweeper::Run(const std::atomic<bool>& stop) {
  while (!stop) {
    try {
      if (Clock::now() >= next_turn_) Turn(stop);
    } catch (const std::exception& error) {
      // Its servers log their own outages; whatever it is, the next turn tries again.
      log::Debug(fmt::format("the sweeper will try again: {}", error.what()));
      next_turn_ = Clock::now() + 1s;
    }
    publisher_->Collect(0ms);
    std::this_thread::sleep_for(kStep);
  }
}

void Sweeper::Turn(const std::atomic<bool>& stop) {
  while (!stop && SweepOne(stop)) {
  }
  if (Clock::now() >= next_prune_) Prune(stop);
  next_turn_ =
      Clock::now() + std::min<std::chrono::milliseconds>(kTurnMax, config_.events.sweep_after / 4);
}

// False when there is no silent worker. Stopped half-way, its row is left and claimed again later.
bool Sweeper::SweepOne(const std::atomic<bool>& stop) {
  const auto worker = journal_.ClaimSilentWorker(config_.events.sweep_after);
  if (!worker) return false;
  std::size_t events = 0;
  std::string after = kNilUuid;
  while (true) {
    const auto entries = journal_.Unconfirmed(*worker, after, kPageRows);
    if (entries.empty()) break;
    if (!Publish(entries, stop)) return false;
    for (const auto& [uuid, entry] : entries) events += entry.verdict.events.size();
    after = entries.back().first;
  }
  journal_.RemoveSilentWorker(*worker);
  Metrics::OfThisProcess().CountSwept(events);
  if (events != 0) {
    log::Info(fmt::format("published {} events again that a worker had left unconfirmed", events));
  }
  return true;
}

// False when stopped, or when the broker did not confirm them all in time.
bool Sweeper::Publish(const std::vector<std::pair<std::string, JournalEntry>>& entries,
                      const std::atomic<bool>& stop) {
  std::set<Publisher::Number> unconfirmed;
  for (const auto& [uuid, entry] : entries) {
    const std::string& correlation_id =
        entry.correlation_id.empty() ? entry.command_id : entry.correlation_id;
    for (const Event& event : entry.verdict.events) {
      Outgoing out = EventMessage(event, correlation_id, entry.traceparent, config_.events);
      unconfirmed.insert(
          publisher_->Publish(std::move(out.address), std::move(out.message), out.routing));
    }
  }
  const auto deadline = Clock::now() + kConfirmMax;
  while (!unconfirmed.empty()) {
    if (stop || Clock::now() > deadline) {
      for (const Publisher::Number number : unconfirmed) publisher_->Forget(number);
      return false;
    }
    for (const Publisher::Number number : publisher_->Collect(kStep)) unconfirmed.erase(number);
  }
  return true;
}

void Sweeper::Prune(const std::atomic<bool>& stop) {
  std::int64_t removed = kPruneRows;
  while (!stop && removed == kPruneRows) {
    removed = journal_.Prune(config_.journal.keep, kPruneRows);
    Metrics::OfThisProcess().CountPruned(static_cast<std::size_t>(removed));
  }
  next_prune_ = Clock::now() + kPruneEvery;
}

}  // namespace iq
