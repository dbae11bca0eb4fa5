#include "host/settlement.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "host/base/log.h"
#include "host/metrics.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

// How long an ack waits for others at least, unless half of what is held waits for one.
constexpr auto kAckCompany = 10ms;
// How long one that is not settled holds back those after it, which then need an ack each.
constexpr auto kGapMax = 100ms;

}  // namespace

Settlement::Settlement(Consumer& consumer, Publisher& publisher, std::chrono::milliseconds patience,
                       SpanExporter* spans)
    : consumer_(consumer), publisher_(publisher), patience_(patience), spans_(spans) {}

Settlement::Clock::time_point Settlement::Received(const Delivery& delivery) {
  if (delivery.epoch != epoch_) {
    epoch_ = delivery.epoch;
    unsettled_.clear();
    completed_.clear();
  }
  return unsettled_.emplace(delivery.tag, Clock::now()).first->second;
}

void Settlement::Settle(const Delivery& delivery, std::int64_t batch,
                        std::vector<Outgoing> messages, Terms terms,
                        std::unique_ptr<CommandTrace> trace) {
  const PendingId id = ++last_id_;
  Pending& pending = pending_[id];
  pending = {delivery.epoch, delivery.tag, batch, terms, {}, Clock::now(), std::move(trace)};
  if (pending.trace && !messages.empty()) pending.trace->publish.began = pending.since;
  if (batch != 0) ++open_batches_[batch];
  for (Outgoing& out : messages) {
    const auto number =
        publisher_.Publish(std::move(out.address), std::move(out.message), out.routing);
    pending.unconfirmed.insert(number);
    by_number_[number] = id;
  }
  if (pending.unconfirmed.empty()) Complete(id);
}

void Settlement::Requeue(const Delivery& delivery) {
  consumer_.Requeue(delivery.epoch, delivery.tag);
  if (delivery.epoch == epoch_) unsettled_.erase(delivery.tag);
}

bool Settlement::Collect(std::chrono::milliseconds wait, Acks acks) {
  const auto confirmed = publisher_.Collect(wait);
  if (!confirmed.empty()) NoteBlocked(false);
  for (const Publisher::Number number : confirmed) {
    const auto found = by_number_.find(number);
    if (found == by_number_.end()) continue;
    const PendingId id = found->second;
    by_number_.erase(found);
    Pending& pending = pending_.at(id);
    pending.unconfirmed.erase(number);
    if (!pending.unconfirmed.empty()) continue;
    Metrics::OfThisProcess().ObserveConfirm(Clock::now() - pending.since);
    Complete(id);
  }
  const bool left = LeaveToSweeper();
  if (left) NoteBlocked(true);
  AckCompleted(acks);
  return left;
}

void Settlement::Complete(PendingId id) {
  const auto found = pending_.find(id);
  Pending& pending = found->second;
  if (pending.batch != 0) {
    const auto batch = open_batches_.find(pending.batch);
    if (batch != open_batches_.end() && --batch->second == 0) open_batches_.erase(batch);
  }
  const auto unsettled = pending.epoch == epoch_ ? unsettled_.find(pending.tag) : unsettled_.end();
  if (unsettled != unsettled_.end()) {
    Metrics::OfThisProcess().ObserveCommand(Clock::now() - unsettled->second);
    completed_.insert(pending.tag);
    if (!pending.terms.recognisable) ack_is_urgent_ = true;
  }
  if (pending.trace) ExportTrace(std::move(*pending.trace));
  pending_.erase(found);
}

void Settlement::ExportTrace(CommandTrace trace) {
  const auto now = Clock::now();
  trace.process.ended = now;
  if (trace.publish.took_place()) trace.publish.ended = now;
  spans_->Export(std::move(trace));
}

bool Settlement::LeaveToSweeper() {
  bool left = false;
  const auto latest = Clock::now() - patience_;
  for (auto next = pending_.begin(); next != pending_.end();) {
    const auto& [id, pending] = *next++;
    if (pending.since > latest) break;
    if (!pending.terms.sweepable) continue;
    for (const Publisher::Number number : pending.unconfirmed) {
      publisher_.Forget(number);
      by_number_.erase(number);
    }
    Complete(id);
    left = true;
  }
  return left;
}

void Settlement::NoteBlocked(bool blocked) {
  if (blocked == blocked_) return;
  blocked_ = blocked;
  if (blocked) {
    log::Warn(
        "publishing has been blocked for longer than broker.publish_patience: committed commands "
        "are acked, their events follow later");
  } else {
    log::Info("publishing is no longer blocked");
  }
}

void Settlement::AckCompleted(Acks acks) {
  if (consumer_.epoch() != epoch_) {  // All of it comes again.
    unsettled_.clear();
    completed_.clear();
  }
  if (completed_.empty()) return;
  const auto now = Clock::now();
  const bool urgent = std::exchange(ack_is_urgent_, false);
  const bool at_once =
      acks == Acks::kAtOnce || urgent || completed_.size() * 2 >= unsettled_.size();
  if (at_once || now - run_acked_at_ >= kAckCompany) {
    AckRun();
    run_acked_at_ = now;
  }
  if (completed_.empty()) return;
  if (gap_ != unsettled_.begin()->first) {
    gap_ = unsettled_.begin()->first;
    gap_since_ = now;
  }
  if (at_once || now - gap_since_ >= kGapMax) AckBehindGap();
}

// One multiple ack for those completed tags that begin at the first unsettled one.
void Settlement::AckRun() {
  std::optional<std::uint64_t> run_end;
  while (!completed_.empty() && *completed_.begin() == unsettled_.begin()->first) {
    run_end = *completed_.begin();
    completed_.erase(completed_.begin());
    unsettled_.erase(unsettled_.begin());
  }
  if (run_end) consumer_.Ack(epoch_, *run_end, /*multiple=*/true);
}

// A multiple ack covers everything before it, so these need single ones.
void Settlement::AckBehindGap() {
  for (const std::uint64_t tag : completed_) {
    consumer_.Ack(epoch_, tag, /*multiple=*/false);
    unsettled_.erase(tag);
  }
  completed_.clear();
}

std::size_t Settlement::UnconfirmedSince(Clock::time_point since) const {
  const auto first = std::find_if(pending_.begin(), pending_.end(),
                                  [since](const auto& each) { return each.second.since > since; });
  return pending_.size() - static_cast<std::size_t>(std::distance(pending_.begin(), first));
}

std::int64_t Settlement::ConfirmedBatch(std::int64_t last) const {
  return open_batches_.empty() ? last : open_batches_.begin()->first - 1;
}

void Settlement::ForgetBatches() {
  open_batches_.clear();
  for (auto& [id, pending] : pending_) pending.batch = 0;
}

}  // namespace iq
