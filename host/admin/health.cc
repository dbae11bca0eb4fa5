#include "host/admin/health.h"

#include <fmt/format.h>

#include "host/base/outage.h"
#include "host/worker_state.h"

namespace iq {

std::vector<std::string> ReadinessFaults(HostPhase phase) {
  std::vector<std::string> faults;
  if (phase == HostPhase::kStarting) faults.emplace_back("starting: waiting for its servers");
  if (phase == HostPhase::kStopping) faults.emplace_back("stopping");
  for (const ServerState& state : ServerStates()) {
    if (state.away) {
      faults.push_back(fmt::format("{} is unavailable: {}", state.server, state.reason));
    }
  }
  for (const WorkerReport& worker : WorkerState::OfThisProcess()) {
    if (!worker.consuming && phase == HostPhase::kServing) {
      faults.push_back(fmt::format("queue {}: a worker does not consume it", worker.queue));
    }
    if (worker.publishing_blocked) {
      faults.push_back(fmt::format(
          "queue {}: the broker takes no messages from a worker: a memory or disk alarm",
          worker.queue));
    }
  }
  return faults;
}

std::vector<std::string> LivenessFaults(std::chrono::milliseconds limit) {
  std::vector<std::string> faults;
  const auto now = std::chrono::steady_clock::now();
  for (const WorkerReport& worker : WorkerState::OfThisProcess()) {
    const auto silent = std::chrono::duration_cast<std::chrono::seconds>(now - worker.noted_at);
    if (silent <= limit) continue;
    faults.push_back(
        fmt::format("queue {}: a worker has not turned for {} s", worker.queue, silent.count()));
  }
  return faults;
}

}  // namespace iq
