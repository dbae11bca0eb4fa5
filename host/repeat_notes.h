// Which commands came again though they had their outcome: noted in the journal for those who ask
// later, when no command waits for it or a second late.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "host/journal.h"

namespace iq {

// Not thread-safe: one per worker.
class RepeatNotes {
 public:
  // `journal` must outlive this object.
  explicit RepeatNotes(Journal& journal) : journal_(journal) {}

  void Remember(const std::string& uuid);

  // Writes what is remembered: at once when the worker is idle, after a second where it never is.
  // What the database refuses is let go, because only people ask for it. Throws Unavailable, and
  // what is remembered is then lost.
  void Write(bool idle);

 private:
  using Clock = std::chrono::steady_clock;

  Journal& journal_;
  std::vector<std::string> uuids_;
  Clock::time_point due_{};
};

}  // namespace iq
