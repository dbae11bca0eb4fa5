// A consumer of a queue in the broker's file.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/outage.h"
#include "host/broker/broker.h"
#include "host/broker/embedded_endpoint.h"
#include "host/broker/embedded_holder.h"
#include "host/broker/embedded_queues.h"
#include "host/broker/embedded_routes.h"

namespace iq {

// Which queue is consumed, and how.
struct EmbeddedSource {
  std::string queue;
  std::uint16_t prefetch = 0;        // 0: no bound.
  bool own = false;                  // The consumer's own queue, which is gone with it. No acks.
  std::optional<Address> binding{};  // Of an own queue: exchange and pattern.
};

// Takes, acks and returns are commits that survive the process, but not always a power failure
// (Sync::kLater). The file's log is one sequence: a power failure takes away its end, and what a
// durable commit stands on is durable with it. So an effect that was committed for a delivery keeps
// the take, and what is lost at the end are takes and acks, which come again as redeliveries, and
// returns and moves out of delay queues, which are done again. That holds where broker and store
// are one file. Where the store is another one, or a server, a power failure may also take away the
// take of a delivery whose effect stays: it comes again, not marked as redelivered, and the journal
// knows it.
//
// The number outlives an outage: deliveries stay this consumer's while the file cannot be written,
// and acks wait for it. They do not outlive the number, the queue or the file: where one of these
// is gone, what is left of them is forgotten, as the same ids mean other messages elsewhere.
class EmbeddedConsumer : public Consumer {
 public:
  EmbeddedConsumer(std::shared_ptr<const embedded::Endpoint> endpoint, EmbeddedSource source);
  ~EmbeddedConsumer() override;
  EmbeddedConsumer(const EmbeddedConsumer&) = delete;
  EmbeddedConsumer& operator=(const EmbeddedConsumer&) = delete;

  // Opens the file now. Throws Unavailable and TopologyMismatch.
  void Open();

  std::vector<Delivery> Receive(std::size_t max, std::chrono::milliseconds wait) override;
  std::uint64_t epoch() const override { return epoch_; }
  bool connected() const override { return database_ != nullptr; }
  void Ack(std::uint64_t epoch, std::uint64_t tag, bool multiple) override;
  void Requeue(std::uint64_t epoch, std::uint64_t tag) override;
  void Cancel() override;

 private:
  using Clock = std::chrono::steady_clock;

  // A delivery that was acked or requeued, which the file does not know yet.
  struct Settled {
    std::int64_t id = 0;
    bool acked = false;
  };

  // How many of `max` may be taken now.
  std::size_t Room(std::size_t max) const;
  std::vector<Delivery> TryTurn(std::size_t max);
  bool EnsureOpen();
  // False where the file failed, and the connection is lost.
  template <typename Call>
  bool OnFile(Call call);
  struct Found {
    std::int64_t queue = 0;
    bool made = false;  // It was not there.
  };
  Found FindQueue(sqlite::Database& database) const;
  Found FindOwnQueue(sqlite::Database& database) const;
  // Compares what the file says this consumer has with what it has. False where something is gone.
  bool Reconcile(sqlite::Database& database, std::int64_t queue) const;

  std::vector<Delivery> Turn(std::size_t max);
  // All three throw Gone: where the locks, the number or the queue are not what they were.
  std::vector<std::int64_t> FindDead();
  void CheckNumber() const;
  void CheckQueue() const;
  std::vector<embedded::Stored> Write(std::size_t room, const std::vector<std::int64_t>& dead);
  std::vector<embedded::Stored> Take(std::size_t room);
  void WriteSettled();
  std::vector<Delivery> Number(std::vector<embedded::Stored> taken);
  void AwaitNews(Clock::time_point deadline, bool taking);
  bool FileChanged();
  void Lost(const std::string& reason);
  // Both begin an epoch.
  void ForgetDeliveries();
  void ForgetNumber();

  const std::shared_ptr<const embedded::Endpoint> endpoint_;
  const EmbeddedSource source_;
  Outage outage_;
  std::unique_ptr<embedded::Holder> holder_;
  std::unique_ptr<sqlite::Database> database_;
  std::optional<embedded::Routes> routes_;  // Of the connection there is.
  std::int64_t queue_ = 0;                  // 0: none yet of holder_.
  std::uint64_t epoch_ = 1;
  std::uint64_t last_tag_ = 0;
  std::map<std::uint64_t, std::int64_t> unsettled_;  // Tag and message.
  std::vector<Settled> settled_;                     // In the queue queue_, held by holder_.
  std::int64_t seen_version_ = 0;                    // Of the file, before the last turn.
  Clock::time_point next_due_{};                     // When a delay ends, as far as is known.
  Clock::time_point next_roll_call_{};
  bool opened_ = false;  // Ever.
  bool cancelled_ = false;
};

}  // namespace iq
