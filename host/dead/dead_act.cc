#include "host/dead/dead_act.h"

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace iq {
namespace {

// What can be said of any letter.
RetriedLetter NotRetried(const DeadLetter& letter) {
  return {letter.name, letter.type, letter.journal_uuid, {}, false};
}

}  // namespace

DeadAct::DeadAct(const Config& config, Broker& broker, Kind kind, const DeadSelection& selection,
                 bool dry_run)
    : kind_(kind),
      dry_run_(dry_run),
      first_(selection.first),
      walk_(broker, config),
      choice_(selection),
      targets_(config, broker) {
  if (kind == Kind::kRetry && !dry_run) retrier_.emplace(config, broker);
  progress_.size = walk_.size();
}

bool DeadAct::Run(const Calls& calls) {
  while (first_ == 0 || progress_.looked < first_) {
    auto letter = walk_.Next();
    if (!letter) break;
    if (calls.stop && calls.stop()) return false;
    ++progress_.looked;
    if (calls.on_progress) calls.on_progress(progress_);
    if (choice_.Takes(*letter)) Take(std::move(*letter), calls);
  }
  Act(calls);
  return true;
}

void DeadAct::Take(DeadLetter letter, const Calls& calls) {
  if (dry_run_) return Rehearse(letter, calls);
  const bool alone = kind_ == Kind::kRetry && letter.nameless;
  if (alone) Act(calls);
  batch_.Add(std::move(letter));
  if (alone || batch_.full()) Act(calls);
}

void DeadAct::Act(const Calls& calls) {
  if (batch_.empty()) return;
  if (kind_ == Kind::kRetry) {
    Retry(calls);
  } else {
    Drop(calls);
  }
  batch_.Clear();
  if (calls.on_progress) calls.on_progress(progress_);
}

void DeadAct::Retry(const Calls& calls) {
  const std::vector<RetriedLetter> retried = retrier_->Retry(batch_.letters());
  progress_.acted += retried.size();
  // Before they are removed, which may fail: they are back.
  if (calls.on_acted) {
    for (std::size_t i = 0; i < retried.size(); ++i) {
      calls.on_acted(batch_.letters()[i], retried[i]);
    }
  }
  walk_.Remove(batch_.letters());
}

void DeadAct::Drop(const Calls& calls) {
  walk_.Remove(batch_.letters());
  progress_.acted += batch_.letters().size();
  if (!calls.on_acted) return;
  for (const DeadLetter& letter : batch_.letters()) calls.on_acted(letter, NotRetried(letter));
}

void DeadAct::Rehearse(const DeadLetter& letter, const Calls& calls) {
  RetriedLetter retried = NotRetried(letter);
  if (kind_ == Kind::kRetry) retried.queue = targets_.Of(letter);
  ++progress_.acted;
  if (calls.on_acted) calls.on_acted(letter, retried);
}

}  // namespace iq
