// A publisher that publishes again what was not confirmed: on a new channel after a loss, and after
// a pause what the broker could not take or route.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "host/base/outage.h"
#include "host/broker/amqp_endpoint.h"
#include "host/broker/broker.h"
#include "host/broker/publish_ledger.h"

namespace iq {

class RabbitPublisher : public Publisher {
 public:
  explicit RabbitPublisher(std::shared_ptr<const AmqpEndpoint> endpoint);

  Number Publish(Address address, Message message, Routing routing) override;
  std::vector<Number> Collect(std::chrono::milliseconds wait) override;
  void Forget(Number number) override { ledger_.Forget(number); }
  std::size_t unconfirmed() const override { return ledger_.size(); }
  bool blocked() const override { return channel_ && channel_->blocked(); }
  bool ready() const override { return channel_ && !channel_->blocked() && !routes_missing_; }
  int news_fd() const override { return channel_ ? channel_->fd() : -1; }

 private:
  using Clock = std::chrono::steady_clock;

  // Connects where that is due. Returns whether there is a channel.
  bool EnsureOpen();
  void Exchange(Clock::time_point deadline);
  void ReadWhatIsThere();
  void Write();
  void Send(Number number);
  void Take(const AmqpNews& news);
  void TakeConfirm(const AmqpConfirm& confirm);
  // Declares the topology on a connection of its own, at most once a pause.
  void RestoreRoutes();
  void Lost(const AmqpClosed& closed);

  const std::shared_ptr<const AmqpEndpoint> endpoint_;
  Outage outage_;
  PublishLedger ledger_;
  std::unique_ptr<AmqpChannel> channel_;
  Clock::time_point opened_{};
  bool used_ = false;  // Something was published, ever.
  bool routes_missing_ = false;
  Clock::time_point next_restore_{};
  std::vector<Number> confirmed_;  // Since the last Collect().
};

}  // namespace iq
