// Whose turn it is to walk the dead-letter queue: a walk holds what it has passed, and another one
// at the same time would miss that.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "host/broker/broker.h"

namespace iq {

// Thread-safe.
class Walking {
 public:
  // `broker` must outlive this object.
  Walking(Broker& broker, std::string queue) : broker_(broker), queue_(std::move(queue)) {}

  // For one walk, which must end before it. Test owns() first.
  class Turn {
   public:
    // Gets the turn as soon as it is free, at the latest after `patience`, and gives up where
    // `stop` is set.
    Turn(Walking& walking, const std::atomic<bool>& stop, std::chrono::milliseconds patience);
    Turn(Turn&&) noexcept = default;
    Turn& operator=(Turn&&) = delete;
    // Waits a moment for what the walk has held: it is on its way back to the queue.
    ~Turn();

    bool owns() const { return lock_.owns_lock(); }

    // So many letters will be in the queue once the walk has ended.
    void Expect(std::uint64_t letters) { expected_ = letters; }

   private:
    Walking* walking_;
    std::unique_lock<std::timed_mutex> lock_;
    std::uint64_t expected_ = 0;
  };

 private:
  Broker& broker_;
  const std::string queue_;
  std::timed_mutex mutex_;
};

}  // namespace iq
