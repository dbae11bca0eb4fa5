#include "host/suspect_turns.h"

#include "host/flight_recorder.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

// How long others wait with a suspect for everything to be settled.
constexpr auto kSettleWait = 1s;
// How long an ack may take to get through: a quorum queue forgets late ones of a channel that ends.
constexpr auto kAckGrace = 2s;
constexpr auto kPruneEvery = 60s;

}  // namespace

SuspectTurns::Step SuspectTurns::Next(bool suspect_waits, bool others_wait, bool all_settled,
                                      Clock::time_point now) {
  const bool suspects_turn = suspect_waits && (!others_wait || !suspect_was_last_);
  if ((suspects_turn || settling()) && !all_settled) {
    if (waiting_since_ == Clock::time_point{}) waiting_since_ = now;
    if (!others_wait || now - waiting_since_ <= kSettleWait) return Step::kSettle;
    waiting_since_ = {};  // After them it is waited for anew.
    return Step::kOthers;
  }
  waiting_since_ = {};
  suspect_was_last_ = suspects_turn;
  return suspects_turn ? Step::kSuspect : Step::kOthers;
}

void SuspectTurns::NoteDecided(const Command& suspect) {
  decided_.push_back({CrashIdentity(suspect)});
  suspects_.MarkDecided(decided_.back().identity);
}

// An ack that is sent is not yet through, so suspicions are kept a little longer than that.
void SuspectTurns::Tidy(bool all_settled, Clock::time_point now) {
  if (now >= next_prune_) {
    suspects_.Prune();
    next_prune_ = now + kPruneEvery;
  }
  if (!all_settled) return;
  for (Decided& each : decided_) {
    if (each.acked_at == Clock::time_point{}) each.acked_at = now;
  }
  while (!decided_.empty() && now - decided_.front().acked_at >= kAckGrace) {
    suspects_.Remove(decided_.front().identity);
    decided_.pop_front();
  }
}

}  // namespace iq
