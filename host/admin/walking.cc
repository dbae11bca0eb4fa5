#include "host/admin/walking.h"

#include <exception>
#include <thread>

#include "host/base/log.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kStep = 50ms;  // How soon a stop is seen.
constexpr auto kLookAgain = 10ms;
constexpr auto kBackPatience = 2s;

}  // namespace

Walking::Turn::Turn(Walking& walking, const std::atomic<bool>& stop,
                    std::chrono::milliseconds patience)
    : walking_(&walking), lock_(walking.mutex_, std::defer_lock) {
  const auto deadline = Clock::now() + patience;
  while (!stop && !lock_.try_lock_for(kStep)) {
    if (Clock::now() >= deadline) return;
  }
}

Walking::Turn::~Turn() {
  if (!lock_.owns_lock() || expected_ == 0) return;
  try {
    const auto deadline = Clock::now() + kBackPatience;
    while (Clock::now() < deadline) {
      const auto state = walking_->broker_.Inspect(walking_->queue_);
      if (!state || state->ready >= expected_) return;
      std::this_thread::sleep_for(kLookAgain);
    }
  } catch (const std::exception& error) {
    log::Debug(error.what());  // Whoever is next is told.
  }
}

}  // namespace iq
