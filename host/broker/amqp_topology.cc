#include "host/broker/amqp_topology.h"

#include <amqp.h>
#include <fmt/format.h>

#include <string>

namespace iq {
namespace {

void DeclareExchange(const ExchangeSpec& exchange, AmqpChannel& channel) {
  try {
    channel.DeclareExchange(exchange.name, exchange.type);
  } catch (const AmqpClosed& closed) {
    if (closed.code() != AMQP_PRECONDITION_FAILED) throw;
    throw TopologyMismatch(fmt::format(
        "exchange \"{}\" stands already, but not as a durable {} exchange (broker: {}); name "
        "another one in {}, or delete the exchange: rabbitmqadmin delete exchange name={}",
        exchange.name, exchange.type, closed.reason(), exchange.setting, exchange.name));
  }
}

void DeclareQueue(const QueueSpec& queue, AmqpChannel& channel) {
  try {
    channel.DeclareQueue(queue.name, queue.arguments);
  } catch (const AmqpClosed& closed) {
    if (closed.code() != AMQP_PRECONDITION_FAILED) throw;
    throw TopologyMismatch(fmt::format(
        "queue \"{}\" stands already with other arguments (broker: {}); set {} to match it, or "
        "delete the queue: rabbitmqctl delete_queue {}",
        queue.name, closed.reason(), queue.setting, queue.name));
  }
}

}  // namespace

void DeclareTopology(const Topology& topology, AmqpChannel& channel) {
  for (const auto& exchange : topology.exchanges) DeclareExchange(exchange, channel);
  for (const auto& queue : topology.queues) DeclareQueue(queue, channel);
  for (const auto& binding : topology.bindings) {
    channel.Bind(binding.queue, binding.exchange, binding.routing_key);
  }
}

}  // namespace iq
