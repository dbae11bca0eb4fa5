#include "host/broker/rabbitmq_browser.h"

#include <utility>

#include "host/base/error.h"

namespace iq {

RabbitBrowser::RabbitBrowser(std::unique_ptr<AmqpChannel> channel, std::string queue)
    : channel_(std::move(channel)), queue_(std::move(queue)) {}

AmqpChannel& RabbitBrowser::channel() {
  if (!channel_) throw Unavailable("rabbitmq: the walk through " + queue_ + " has broken off");
  return *channel_;
}

std::optional<Delivery> RabbitBrowser::Next() {
  try {
    return channel().Get(queue_);
  } catch (const AmqpClosed&) {
    channel_.reset();
    throw;
  }
}

void RabbitBrowser::Remove(const Delivery& delivery) {
  try {
    channel().Ack(delivery.tag, false);
    // An ack has no answer, but the channel's methods are carried out in order.
    channel().SetPrefetch(0);
  } catch (const AmqpClosed&) {
    channel_.reset();
    throw;
  }
}

}  // namespace iq
