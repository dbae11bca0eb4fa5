// Waits for a condition. The only place in the tests that sleeps.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace iq::test {

// Asks `condition` until it says true or `deadline` has passed; asks at least once, and once more
// at the end. Returns its last answer.
template <typename F>
[[nodiscard]] bool Eventually(std::chrono::milliseconds deadline, F condition) {
  constexpr std::chrono::milliseconds kFirstPause{5};
  constexpr std::chrono::milliseconds kLongestPause{20};
  const auto end = std::chrono::steady_clock::now() + deadline;
  auto pause = kFirstPause;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) {
      return condition();
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
  return true;
}

}  // namespace iq::test
