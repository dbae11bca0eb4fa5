// When a suspect runs: alone, by turns with the other commands, and with everything settled before
// it and after: what has been decided would come again if the next one did its worst.
#pragma once

#include <chrono>
#include <deque>
#include <string>

#include "host/command.h"
#include "host/suspects.h"

namespace iq {

// Not thread-safe: one per worker. `all_settled`: no delivery of the worker waits for confirms or
// for its ack.
class SuspectTurns {
 public:
  using Clock = std::chrono::steady_clock;

  // `suspects` must outlive it.
  explicit SuspectTurns(Suspects& suspects) : suspects_(suspects) {}

  enum class Step { kOthers, kSuspect, kSettle };

  // kSettle: nothing runs before more is settled; where that takes long, the others go on. kOthers
  // also where nobody waits and no suspect is to be settled.
  Step Next(bool suspect_waits, bool others_wait, bool all_settled, Clock::time_point now);

  // A suspect has its verdict, and is about to be settled.
  void NoteDecided(const Command& suspect);

  // Ends the suspicions of those that were settled a while ago, and now and then removes what other
  // processes have left of theirs. For each turn of the worker's loop.
  void Tidy(bool all_settled, Clock::time_point now);

 private:
  struct Decided {
    std::string identity;
    Clock::time_point acked_at{};  // When everything was first seen to be settled.
  };

  // Whether one has been decided, and is not settled.
  bool settling() const {
    return !decided_.empty() && decided_.back().acked_at == Clock::time_point{};
  }

  Suspects& suspects_;
  std::deque<Decided> decided_;  // In the order of their verdicts.
  bool suspect_was_last_ = false;
  Clock::time_point waiting_since_{};  // For everything to be settled.
  Clock::time_point next_prune_{};
};

}  // namespace iq
