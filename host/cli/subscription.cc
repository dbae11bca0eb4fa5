#include "host/cli/subscription.h"

#include <fmt/format.h>

#include <stdexcept>

#include "host/base/error.h"
#include "host/base/uuid.h"

namespace iq::cli {
namespace {

[[noreturn]] void RefuseSubscription(const std::string& fault) {
  throw std::runtime_error(
      fmt::format("{}; `iq run` declares the exchanges that the configuration names", fault));
}

// The broker closes the connection over a missing exchange: not to be taken for a broker that is
// away.
void RequireBroker(Broker& broker) { broker.Inspect("iq.no-such-queue"); }

}  // namespace

std::unique_ptr<Consumer> SubscribeTo(Broker& broker, const std::string& exchange,
                                      const std::string& pattern) {
  try {
    return broker.Subscribe(exchange, pattern);
  } catch (const Unavailable& error) {
    RequireBroker(broker);
    RefuseSubscription(error.what());
  }
}

std::optional<std::string> ExchangeFault(Broker& broker, const std::string& exchange) {
  try {
    broker.Subscribe(exchange, RandomUuid());
    return std::nullopt;
  } catch (const Unavailable& error) {
    RequireBroker(broker);
    return error.what();
  }
}

void RequireExchange(Broker& broker, const std::string& exchange) {
  if (const auto fault = ExchangeFault(broker, exchange)) RefuseSubscription(*fault);
}

}  // namespace iq::cli
