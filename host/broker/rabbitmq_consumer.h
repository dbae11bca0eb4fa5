// A consumer that comes back after each loss, on a new channel and with a new epoch.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "host/base/outage.h"
#include "host/broker/amqp_endpoint.h"
#include "host/broker/broker.h"

namespace iq {

// A queue that is shared, from which each delivery is to be acked.
struct SharedQueue {
  std::string name;
  std::uint16_t prefetch = 0;
};
// A queue of the consumer's own, which is gone with its connection. No acks.
struct Subscription {
  std::string exchange;
  std::string pattern;
};

// The same, unbound, under a name that it keeps over a loss. Until the broker has noticed the loss
// itself, it refuses the name to the new connection.
struct PrivateQueue {
  std::string name;
};

class RabbitConsumer : public Consumer {
 public:
  using Source = std::variant<SharedQueue, Subscription, PrivateQueue>;

  RabbitConsumer(std::shared_ptr<const AmqpEndpoint> endpoint, Source source);

  // Connects now. Throws Unavailable and TopologyMismatch.
  void Open();

  std::vector<Delivery> Receive(std::size_t max, std::chrono::milliseconds wait) override;
  std::uint64_t epoch() const override { return epoch_; }
  bool connected() const override { return channel_ != nullptr; }
  int news_fd() const override { return channel_ ? channel_->fd() : -1; }
  void Ack(std::uint64_t epoch, std::uint64_t tag, bool multiple) override;
  void Requeue(std::uint64_t epoch, std::uint64_t tag) override;
  void Cancel() override;

 private:
  using Clock = std::chrono::steady_clock;

  bool acks() const { return std::holds_alternative<SharedQueue>(source_); }
  // Tries to connect, as often as is due, until `deadline`. Returns connected().
  bool AwaitConnection(Clock::time_point deadline);
  void TryOpen();
  void ReadUntil(Clock::time_point deadline, std::size_t max);
  void Take(AmqpNews news);
  // After a long silence: whether the broker still counts us as a consumer of the queue.
  void CheckSilence();
  void GiveBackWhatArrived();
  void Lost(std::string_view reason);

  const std::shared_ptr<const AmqpEndpoint> endpoint_;
  const Source source_;
  Outage outage_;
  std::unique_ptr<AmqpChannel> channel_;
  std::uint64_t epoch_ = 1;  // Of the channel there is, or else of the next one.
  std::string queue_;
  std::string consumer_tag_;
  std::deque<Delivery> arrived_;  // Not yet received. At most `prefetch`.
  Clock::time_point opened_{};
  Clock::time_point heard_{};  // The last delivery or check.
  bool cancelled_ = false;
};

}  // namespace iq
