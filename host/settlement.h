// When a delivery may be acked: once everything that its outcome sends out is confirmed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "host/broker/broker.h"
#include "host/outgoing.h"
#include "host/trace/command_trace.h"
#include "host/trace/span_exporter.h"

namespace iq {

// Not thread-safe: one per worker.
class Settlement {
 public:
  using Clock = std::chrono::steady_clock;

  // All must outlive this object. `patience` is how long a committed command's events may stay
  // unconfirmed before its delivery is acked all the same and they are left to the sweeper.
  // `spans`: where the traces go that Settle is given.
  Settlement(Consumer& consumer, Publisher& publisher, std::chrono::milliseconds patience,
             SpanExporter* spans = nullptr);

  // A delivery was received: it holds back a multiple ack until it is settled. Returns the time.
  Clock::time_point Received(const Delivery& delivery);

  struct Terms {
    bool sweepable = false;     // Its events may be left to the sweeper: its outcome is recorded.
    bool recognisable = false;  // The journal would know it if it came again: its ack may wait.
  };

  // Publishes `messages`, and acks the delivery when all are confirmed. `batch` is the transaction
  // that recorded its outcome, 0 when none did. `trace`, if any, is complete but for its end.
  void Settle(const Delivery& delivery, std::int64_t batch, std::vector<Outgoing> messages,
              Terms terms, std::unique_ptr<CommandTrace> trace = nullptr);

  // Gives the delivery back to the queue.
  void Requeue(const Delivery& delivery);

  // When what is completed is acked. In company, soon: an ack is an entry in the log of a quorum
  // queue, and one can stand for many.
  enum class Acks { kInCompany, kAtOnce };

  // Reads confirms, for at most `wait`, and acks what they complete. True when events were left to
  // the sweeper: from then on the worker needs a new identity.
  bool Collect(std::chrono::milliseconds wait, Acks acks);

  // The last transaction such that it and all before it are confirmed, given the last committed
  // one.
  std::int64_t ConfirmedBatch(std::int64_t last) const;

  // Deliveries that wait for confirms.
  std::size_t unconfirmed() const { return pending_.size(); }
  // Those of them that were settled after `since`.
  std::size_t UnconfirmedSince(Clock::time_point since) const;
  // Deliveries that wait for confirms or for their ack.
  std::size_t pending() const { return pending_.size() + completed_.size(); }
  // Deliveries received and not acked or given back.
  std::size_t in_flight() const { return unsettled_.size(); }

  // Forgets which transactions are unconfirmed: they are written under another identity from now
  // on.
  void ForgetBatches();

 private:
  struct Pending {
    std::uint64_t epoch = 0;
    std::uint64_t tag = 0;
    std::int64_t batch = 0;
    Terms terms{};
    std::set<Publisher::Number> unconfirmed;
    Clock::time_point since;
    std::unique_ptr<CommandTrace> trace;
  };
  using PendingId = std::uint64_t;

  void Complete(PendingId id);
  void ExportTrace(CommandTrace trace);
  bool LeaveToSweeper();
  // Logs when a blockage begins and when it ends.
  void NoteBlocked(bool blocked);
  void AckCompleted(Acks acks);
  void AckRun();
  void AckBehindGap();

  Consumer& consumer_;
  Publisher& publisher_;
  std::chrono::milliseconds patience_;
  SpanExporter* spans_;
  PendingId last_id_ = 0;
  std::map<PendingId, Pending> pending_;  // In order of settling, so the oldest is first.
  std::unordered_map<Publisher::Number, PendingId> by_number_;
  std::map<std::int64_t, std::size_t> open_batches_;  // Deliveries that wait, by transaction.
  std::uint64_t epoch_ = 0;
  // Tags of `epoch_` that were received and not acked, and when they were received.
  std::map<std::uint64_t, Clock::time_point> unsettled_;
  std::set<std::uint64_t> completed_;  // Those of them that may be.
  bool ack_is_urgent_ = false;         // One of those would take effect twice if it came again.
  Clock::time_point run_acked_at_{};
  std::uint64_t gap_ = 0;  // The first unsettled tag, that holds back a multiple ack.
  Clock::time_point gap_since_{};
  bool blocked_ = false;  // Events were left to the sweeper, and no confirm came since.
};

}  // namespace iq
