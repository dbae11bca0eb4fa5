// What became of the commands and events that one generation of a plugin was given.
#pragma once

#include <atomic>
#include <cstdint>

#include "host/outcome.h"

namespace iq {

// Each attempt counts; a repeat that the journal answers does not, nor what never came to a
// handler.
struct OutcomeCounts {
  std::uint64_t done = 0;
  std::uint64_t rejected = 0;
  std::uint64_t failed = 0;
  std::uint64_t retried = 0;
};

// Thread-safe.
class PluginCounts {
 public:
  void Note(Outcome outcome) {
    if (outcome == Outcome::kDone) Count(done_);
    if (outcome == Outcome::kRejected) Count(rejected_);
    if (outcome == Outcome::kFailed) Count(failed_);
    if (outcome == Outcome::kRetry) Count(retried_);
  }

  // Each number is right; together they may be of different moments.
  OutcomeCounts Read() const {
    return {done_.load(std::memory_order_relaxed), rejected_.load(std::memory_order_relaxed),
            failed_.load(std::memory_order_relaxed), retried_.load(std::memory_order_relaxed)};
  }

 private:
  using Counter = std::atomic<std::uint64_t>;
  static void Count(Counter& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

  Counter done_{0};
  Counter rejected_{0};
  Counter failed_{0};
  Counter retried_{0};
};

}  // namespace iq
