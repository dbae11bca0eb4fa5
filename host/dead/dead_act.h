// Retries or drops chosen dead letters, many at a time.
//
// A letter is retried in this order: its copy is confirmed in its queue, the caller is told, the
// letter leaves the dead-letter queue. A command without an id travels alone: where the end comes
// in between, it is at most one that is carried out twice.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "host/broker/broker.h"
#include "host/config.h"
#include "host/dead/dead_batch.h"
#include "host/dead/dead_choice.h"
#include "host/dead/dead_letter.h"
#include "host/dead/dead_retrier.h"
#include "host/dead/dead_selection.h"
#include "host/dead/dead_targets.h"
#include "host/dead/dead_walk.h"

namespace iq {

// Not thread-safe; holds the letters it has passed until it ends.
class DeadAct {
 public:
  enum class Kind { kRetry, kDrop };

  struct Progress {
    std::uint64_t looked = 0;  // Letters, chosen or not.
    std::uint64_t size = 0;    // How many there were when it began.
    std::uint64_t acted = 0;   // Retried or dropped; in a dry run, chosen.
  };

  // What Run calls, on its thread. Empty ones are not called.
  struct Calls {
    // Asked at each letter; true ends it.
    std::function<bool()> stop{};
    // At each letter, and when letters were acted on.
    std::function<void(const Progress&)> on_progress{};
    // A retried letter is back in its queue; a dropped one has gone; in a dry run nothing was done.
    // `retried` says where a letter goes: of one that is dropped only its own words are set.
    std::function<void(const DeadLetter& letter, const RetriedLetter& retried)> on_acted{};
  };

  // `config` and `broker` must outlive it. A dry run changes nothing. Throws Unavailable, and
  // std::runtime_error where there is no dead-letter queue.
  DeadAct(const Config& config, Broker& broker, Kind kind, const DeadSelection& selection,
          bool dry_run = false);

  // To the end of the queue, once. False where it was stopped: letters that are chosen and not yet
  // acted on are left as they are. Throws Unavailable, std::runtime_error where a letter's queue is
  // not there, and what the calls throw: what was told to on_acted is done all the same, but a
  // retried letter may then still be in the dead-letter queue.
  bool Run(const Calls& calls);

  const Progress& progress() const { return progress_; }
  const DeadChoice& choice() const { return choice_; }

 private:
  void Take(DeadLetter letter, const Calls& calls);
  // All that is in the batch.
  void Act(const Calls& calls);
  void Retry(const Calls& calls);
  void Drop(const Calls& calls);
  void Rehearse(const DeadLetter& letter, const Calls& calls);

  Kind kind_;
  bool dry_run_;
  const std::uint64_t first_;
  DeadWalk walk_;
  DeadChoice choice_;
  DeadTargets targets_;                 // For a dry run.
  std::optional<DeadRetrier> retrier_;  // Unless nothing is retried.
  DeadBatch batch_;
  Progress progress_;
};

}  // namespace iq
