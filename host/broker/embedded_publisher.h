// A publisher into the broker's file. What waits goes into it in one transaction, and is confirmed
// once that is on the disk.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/outage.h"
#include "host/broker/broker.h"
#include "host/broker/embedded_endpoint.h"
#include "host/broker/embedded_routes.h"
#include "host/broker/publish_ledger.h"

namespace iq {

// Killed before the commit, the messages were never confirmed; after it, they are in their queues.
class EmbeddedPublisher : public Publisher {
 public:
  explicit EmbeddedPublisher(std::shared_ptr<const embedded::Endpoint> endpoint);

  Number Publish(Address address, Message message, Routing routing) override;
  std::vector<Number> Collect(std::chrono::milliseconds wait) override;
  void Forget(Number number) override { ledger_.Forget(number); }
  std::size_t unconfirmed() const override { return ledger_.size(); }
  bool blocked() const override { return blocked_; }

 private:
  using Clock = std::chrono::steady_clock;

  // A message that the ledger has given out, in that order.
  struct Outbound {
    const PublishLedger::Entry* entry = nullptr;
    std::optional<std::vector<const embedded::Queue*>> targets;
    std::string properties_json;
  };

  void TryWrite();
  void EnsureOpen();
  void Write();
  std::vector<Outbound> WhatIsDue();
  // True where any of them goes to a queue.
  bool FindTargets(std::vector<Outbound>& outbound) const;
  void Insert(std::vector<Outbound>& outbound);
  void InsertOne(Outbound& outbound, std::int64_t now_ms);
  void Settle(const std::vector<Outbound>& outbound);
  void RestoreRoutes();
  void Lost(const std::string& reason);

  const std::shared_ptr<const embedded::Endpoint> endpoint_;
  Outage outage_;
  PublishLedger ledger_;
  std::unique_ptr<sqlite::Database> database_;
  std::optional<embedded::Routes> routes_;  // Of the connection there is.
  std::uint64_t sequence_ = 0;              // Of the last message that was settled.
  bool blocked_ = false;                    // The last write failed for want of room.
  bool routes_missing_ = false;
  Clock::time_point next_restore_{};
  std::vector<Number> confirmed_;  // Since the last Collect().
};

}  // namespace iq
