#include "host/broker/amqp_endpoint.h"

#include <utility>

#include "host/broker/amqp_topology.h"
#include "host/broker/join_topologies.h"

namespace iq {

AmqpEndpoint::AmqpEndpoint(AmqpUrl url, std::string connection_name)
    : url_(std::move(url)), connection_name_(std::move(connection_name)) {}

std::unique_ptr<AmqpChannel> AmqpEndpoint::Connect() const {
  return std::make_unique<AmqpChannel>(url_, connection_name_);
}

std::unique_ptr<AmqpChannel> AmqpEndpoint::ConnectAndDeclare() const {
  const auto topology = [this] {
    const std::lock_guard lock(mutex_);
    return topology_;
  }();
  auto channel = Connect();
  DeclareTopology(topology, *channel);
  return channel;
}

void AmqpEndpoint::Declare(const Topology& topology) {
  const auto remember = [&] {
    const std::lock_guard lock(mutex_);
    topology_ = JoinTopologies(std::move(topology_), topology);
  };
  try {
    DeclareTopology(topology, *Connect());
  } catch (const AmqpClosed& closed) {
    // What the broker refuses would be refused at every reconnection.
    if (!closed.refusal()) remember();
    throw;
  }
  remember();
}

}  // namespace iq
