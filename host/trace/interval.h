// When something began and ended.
#pragma once

#include <chrono>

namespace iq {

struct Interval {
  std::chrono::steady_clock::time_point began{};  // The clock's zero: it did not take place.
  std::chrono::steady_clock::time_point ended{};

  bool took_place() const { return began != std::chrono::steady_clock::time_point{}; }
};

}  // namespace iq
