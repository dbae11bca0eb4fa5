// The scheme of a broker's URL picks the driver: only here.
#include "host/broker/broker.h"
#include "host/broker/embedded.h"
#include "host/broker/rabbitmq.h"
#include "host/sqlite/database.h"

namespace iq {

std::unique_ptr<Broker> OpenBroker(const std::string& url, const std::string& connection_name) {
  if (url.starts_with("sqlite:")) return OpenEmbeddedBroker(sqlite::PathOf(url));
  return OpenRabbitBroker(url, connection_name);
}

}  // namespace iq
