// What each worker of this process says of itself, for those who ask from other threads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace iq {

struct WorkerReport {
  std::string queue;
  bool consuming = false;           // The broker counts it as a consumer of the queue.
  bool publishing_blocked = false;  // The broker takes no messages from it.
  std::size_t in_flight = 0;        // Deliveries received and not acked.
  std::size_t unconfirmed = 0;      // Those of them that wait for the broker's confirms.
  std::chrono::steady_clock::time_point noted_at{};  // The last turn of its loop.
};

// One worker's. Registered for as long as it lives.
class WorkerState {
 public:
  explicit WorkerState(std::string queue);
  WorkerState(const WorkerState&) = delete;
  WorkerState& operator=(const WorkerState&) = delete;
  ~WorkerState();

  // For the worker's thread, with every turn: cheap.
  void Note(bool consuming, bool publishing_blocked, std::size_t in_flight,
            std::size_t unconfirmed) noexcept;

  // Of all workers there are now. Any thread.
  static std::vector<WorkerReport> OfThisProcess();

 private:
  using Clock = std::chrono::steady_clock;

  const std::string queue_;
  std::atomic<bool> consuming_{false};
  std::atomic<bool> publishing_blocked_{false};
  std::atomic<std::size_t> in_flight_{0};
  std::atomic<std::size_t> unconfirmed_{0};
  std::atomic<Clock::time_point> noted_at_{Clock::now()};
};

}  // namespace iq
