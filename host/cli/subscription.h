// Listening to an exchange, with a mend where it cannot be done.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "host/broker/broker.h"

namespace iq::cli {

// Broker::Subscribe. Throws Unavailable; std::runtime_error that names the exchange where the
// broker is there and the exchange is not.
std::unique_ptr<Consumer> SubscribeTo(Broker& broker, const std::string& exchange,
                                      const std::string& pattern);

// What the broker says against listening to the exchange: that it is not there, for instance. Empty
// where nothing is. Tells by means of a queue of its own, which is gone when it returns and which
// no message reaches. Throws Unavailable.
std::optional<std::string> ExchangeFault(Broker& broker, const std::string& exchange);

// Throws as SubscribeTo does.
void RequireExchange(Broker& broker, const std::string& exchange);

}  // namespace iq::cli
