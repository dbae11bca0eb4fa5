// So many requests a second, and no more: a token bucket
// (https://en.wikipedia.org/wiki/Token_bucket).
#pragma once

#include <algorithm>
#include <chrono>
#include <mutex>

namespace iq {

// Thread-safe.
class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;

  RateLimit(double a_second, double at_once)
      : a_second_(a_second), at_once_(at_once), left_(at_once) {}

  // Whether one more may pass.
  bool Take(Clock::time_point now = Clock::now()) {
    const std::lock_guard lock(mutex_);
    const double passed = std::chrono::duration<double>(now - last_).count();
    left_ = std::min(at_once_, left_ + passed * a_second_);
    last_ = now;
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  const double a_second_;
  const double at_once_;
  std::mutex mutex_;
  double left_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace iq
