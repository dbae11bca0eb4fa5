#include "host/call_watchdog.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "host/base/log.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

constexpr int kLooksPerDeadline = 10;
constexpr std::chrono::milliseconds kStepMin = 10ms;
constexpr std::chrono::milliseconds kStepMax = 250ms;

log::About About(const Note& note) {
  log::About about{.plugin = note.plugin};
  if (note.commands.size() == 1) about.id = note.commands.front().id;
  return about;
}

}  // namespace

CallWatchdog::CallWatchdog(FlightRecorder& recorder, std::chrono::milliseconds deadline)
    : recorder_(recorder),
      deadline_(deadline),
      step_(std::clamp(deadline / kLooksPerDeadline, kStepMin, kStepMax)),
      watched_(recorder.slots().size()),
      thread_([this] { Run(); }) {}

CallWatchdog::~CallWatchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_one();
  thread_.join();
}

void CallWatchdog::Run() {
  std::unique_lock lock(mutex_);
  auto looked = Clock::now();
  while (!stopped_.wait_for(lock, step_, [this] { return stop_; })) {
    const auto now = Clock::now();
    // Later than that by far, it was not only the handlers that could not run.
    const auto passed = std::min<Clock::duration>(now - looked, 2 * step_);
    looked = now;
    for (std::size_t i = 0; i < watched_.size(); ++i) {
      Look(recorder_.slots()[i], watched_[i], passed);
    }
  }
}

void CallWatchdog::Look(FlightSlot& slot, Watched& watched, Clock::duration passed) {
  const std::uint64_t number = slot.number();
  if (number != watched.number) {
    watched = {number};
    return;
  }
  if (number == 0) return;
  watched.ran += passed;
  if (watched.ran > deadline_ && !watched.warned) {
    watched.warned = true;
    Warn(slot, number);
  }
  if (watched.ran > 2 * deadline_) EndProcess(slot, number);
}

void CallWatchdog::Warn(const FlightSlot& slot, std::uint64_t number) const {
  const Note note = slot.Read();
  if (note.number != number) return;
  log::Warn(
      fmt::format("{} has run for longer than limits.deadline ({})", Describe(note), deadline_),
      About(note));
}

void CallWatchdog::EndProcess(const FlightSlot& slot, std::uint64_t number) {
  const Note note = slot.Read();
  if (note.number != number || note.call == PluginCall::kCreate) return;
  log::Error(fmt::format("{} has run for longer than twice limits.deadline ({}) and does not come "
                         "back: the process ends, as after a crash",
                         Describe(note), deadline_),
             About(note));
  recorder_.AccuseOnly(slot);
  std::abort();
}

}  // namespace iq
