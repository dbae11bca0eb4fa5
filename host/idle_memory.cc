#include "host/idle_memory.h"

#include <malloc.h>

#include <algorithm>

namespace iq {
namespace {

using namespace std::chrono_literals;

// How long memory is kept: the next burst may follow at once.
constexpr auto kKept = 1s;
// To look through all of it takes a millisecond, in which nobody else can allocate.
constexpr auto kEvery = 10s;

}  // namespace

void IdleMemory::Note(bool busy) {
  const auto now = Clock::now();
  if (busy) {
    due_ = std::max(now + kKept, returned_at_ + kEvery);
  } else if (due_ && now >= *due_) {
    due_.reset();
    malloc_trim(0);
    returned_at_ = now;
  }
}

}  // namespace iq
