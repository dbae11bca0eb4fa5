// Where the broker is, who connects, and what must stand there: all that the connections of one
// process to one broker have in common.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "host/broker/amqp_channel.h"
#include "host/broker/amqp_url.h"
#include "host/broker/broker.h"

namespace iq {

// Thread-safe.
class AmqpEndpoint {
 public:
  AmqpEndpoint(AmqpUrl url, std::string connection_name);

  std::string name() const { return ServerName(url_); }

  // Throws AmqpClosed.
  std::unique_ptr<AmqpChannel> Connect() const;

  // As Connect(), with all declared that was added. Throws TopologyMismatch as well.
  std::unique_ptr<AmqpChannel> ConnectAndDeclare() const;

  // Declares `topology`. It is part of what is declared from here on, unless it does not match
  // what stands.
  void Declare(const Topology& topology);

 private:
  const AmqpUrl url_;
  const std::string connection_name_;
  mutable std::mutex mutex_;
  Topology topology_;  // Guarded by mutex_.
};

}  // namespace iq
