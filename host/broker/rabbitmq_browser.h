// Walks a queue by consuming it, without acking what is to stay.
//
// It consumes in steps, each with a consumer and a prefetch of its own: that bounds what the broker
// sends ahead of the walk. A step's consumer is cancelled when all that it may have has come, and
// keeps it. When the connection ends, in whatever way, a quorum queue takes back what was not
// acked: consumer by consumer in the order of their tags (of up to 32 of them, so some 30,000
// messages), and of each in the order it was given. It puts that behind whatever else came back
// before, so that only a walk to the end leaves each message in its place.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "host/broker/amqp_channel.h"
#include "host/broker/broker.h"

namespace iq {

class RabbitBrowser : public Browser {
 public:
  // Throws Unavailable.
  RabbitBrowser(std::unique_ptr<AmqpChannel> channel, std::string queue);

  std::optional<Delivery> Next() override;
  void Remove(std::span<const std::uint64_t> tags) override;

 private:
  // What `call` returns; the walk is over where it fails.
  template <typename Call>
  auto OrBreakOff(Call call);
  void BeginStep();
  std::optional<Delivery> Receive();
  std::optional<Delivery> Await(std::chrono::milliseconds wait);
  std::string ConsumerTag() const;

  std::unique_ptr<AmqpChannel> channel_;  // None once the walk has broken off.
  const std::string queue_;
  int steps_ = 0;
  std::uint16_t prefetch_ = 0;   // Of this step.
  std::uint16_t unacked_ = 0;    // Of what has come in this step.
  std::uint64_t first_tag_ = 1;  // That can be of this step.
  std::uint64_t last_tag_ = 0;   // Of all that has come.
};

}  // namespace iq
