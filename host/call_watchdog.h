// Ends the process for a plugin that does not come back: a thread cannot be taken from it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "host/flight_recorder.h"

namespace iq {

// A thread that looks at what the recorder's slots note. It warns once of a call that has run for
// `deadline`, and aborts the process for one that has run for twice as long. A call that makes a
// handler is only warned of: it may have much to prepare.
//
// Time in which this process was stopped, or its machine asleep, does not count.
class CallWatchdog {
 public:
  // `recorder` must outlive it.
  CallWatchdog(FlightRecorder& recorder, std::chrono::milliseconds deadline);
  CallWatchdog(const CallWatchdog&) = delete;
  CallWatchdog& operator=(const CallWatchdog&) = delete;
  ~CallWatchdog();

 private:
  using Clock = std::chrono::steady_clock;

  // The call that a slot was in when it was last looked at.
  struct Watched {
    std::uint64_t number = 0;
    Clock::duration ran{};
    bool warned = false;
  };

  void Run();
  void Look(FlightSlot& slot, Watched& watched, Clock::duration passed);
  void Warn(const FlightSlot& slot, std::uint64_t number) const;
  void EndProcess(const FlightSlot& slot, std::uint64_t number);

  FlightRecorder& recorder_;
  const std::chrono::milliseconds deadline_;
  const std::chrono::milliseconds step_;
  std::vector<Watched> watched_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace iq
