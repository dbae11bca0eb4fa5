// How a topology is declared to RabbitMQ.
#pragma once

#include "host/broker/amqp_channel.h"
#include "host/broker/broker.h"

namespace iq {

// Throws TopologyMismatch, and AmqpClosed for everything else; the channel is then useless.
void DeclareTopology(const Topology& topology, AmqpChannel& channel);

}  // namespace iq
