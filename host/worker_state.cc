#include "host/worker_state.h"

#include <mutex>
#include <set>
#include <utility>

namespace iq {
namespace {

struct Roster {
  std::mutex mutex;
  std::set<const WorkerState*> workers;

  static Roster& OfThisProcess() {
    static Roster roster;
    return roster;
  }
};

}  // namespace

WorkerState::WorkerState(std::string queue) : queue_(std::move(queue)) {
  Roster& roster = Roster::OfThisProcess();
  const std::lock_guard lock(roster.mutex);
  roster.workers.insert(this);
}

WorkerState::~WorkerState() {
  Roster& roster = Roster::OfThisProcess();
  const std::lock_guard lock(roster.mutex);
  roster.workers.erase(this);
}

void WorkerState::Note(bool consuming, bool publishing_blocked, std::size_t in_flight,
                       std::size_t unconfirmed) noexcept {
  consuming_ = consuming;
  publishing_blocked_ = publishing_blocked;
  in_flight_ = in_flight;
  unconfirmed_ = unconfirmed;
  noted_at_ = Clock::now();
}

std::vector<WorkerReport> WorkerState::OfThisProcess() {
  Roster& roster = Roster::OfThisProcess();
  const std::lock_guard lock(roster.mutex);
  std::vector<WorkerReport> reports;
  for (const WorkerState* worker : roster.workers) {
    reports.push_back({worker->queue_, worker->consuming_, worker->publishing_blocked_,
                       worker->in_flight_, worker->unconfirmed_, worker->noted_at_});
  }
  return reports;
}

}  // namespace iq
