// Any number of batches at a time, or one that wants the process to itself.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace iq {

// Thread-safe. Who wants to be alone comes before those who arrive later.
class RunGate {
 public:
  enum class Company { kOthers, kAlone };

  // Within the gate for as long as it lives. A thread has one at a time.
  class Pass {
   public:
    // Waits for its turn.
    Pass(RunGate& gate, Company company) : gate_(gate), company_(company) {
      std::unique_lock lock(gate_.mutex_);
      if (company_ == Company::kAlone) {
        ++gate_.want_alone_;
        gate_.changed_.wait(lock, [&] { return gate_.inside_ == 0; });
        --gate_.want_alone_;
        gate_.alone_ = true;
      } else {
        gate_.changed_.wait(lock, [&] { return !gate_.alone_ && gate_.want_alone_ == 0; });
      }
      ++gate_.inside_;
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass() {
      {
        const std::lock_guard lock(gate_.mutex_);
        --gate_.inside_;
        if (company_ == Company::kAlone) gate_.alone_ = false;
      }
      gate_.changed_.notify_all();
    }

   private:
    RunGate& gate_;
    const Company company_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t inside_ = 0;
  std::size_t want_alone_ = 0;
  bool alone_ = false;
};

}  // namespace iq
