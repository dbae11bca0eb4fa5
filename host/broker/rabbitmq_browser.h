// Walks a queue by taking its messages one by one without acking them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "host/broker/amqp_channel.h"
#include "host/broker/broker.h"

namespace iq {

class RabbitBrowser : public Browser {
 public:
  RabbitBrowser(std::unique_ptr<AmqpChannel> channel, std::string queue);

  std::optional<Delivery> Next() override;
  void Remove(const Delivery& delivery) override;

 private:
  AmqpChannel& channel();

  std::unique_ptr<AmqpChannel> channel_;
  const std::string queue_;
};

}  // namespace iq
