// Gives the memory that a burst has needed back to the system once the burst is over.
#pragma once

#include <chrono>
#include <optional>

namespace iq {

// Not thread-safe: one per worker.
class IdleMemory {
 public:
  // Call often. `busy`: there is work in hand or not settled yet.
  void Note(bool busy);

 private:
  using Clock = std::chrono::steady_clock;

  std::optional<Clock::time_point> due_;
  Clock::time_point returned_at_{};
};

}  // namespace iq
