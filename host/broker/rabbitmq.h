// RabbitMQ behind broker.h.
#pragma once

#include <memory>
#include <string>

#include "host/broker/broker.h"

namespace iq {

// Throws UsageError when `url` is not one of RabbitMQ.
std::unique_ptr<Broker> OpenRabbitBroker(const std::string& url,
                                         const std::string& connection_name);

}  // namespace iq
