// Commands that iq itself sends, for people: `iq send` and the page.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "host/broker/broker.h"
#include "host/config.h"

namespace iq {

// The longest id that AMQP carries.
inline constexpr std::size_t kIdBytesMax = 255;

// The id that the body itself gives: its top-level "id", where that is a text that can be an id.
// Empty where there is none. Throws PayloadError where the body is no JSON object.
std::string IdInBody(const std::string& body);

// The same, or a new UUID where there is none.
std::string IdForBody(const std::string& body);

// Why no command can be sent under `id`, with the mend; nothing where one can.
std::optional<std::string> IdFault(const std::string& id, const SecurityConfig& security);

// The message, stamped with the present time and signed where there is a key. Without an id where
// `id` is empty. IdFault must have nothing against the id; the body is not looked at.
Message MakeCommand(std::string body, const std::string& id, const SecurityConfig& security);

// Where commands go: to the exchange of the first consumer. Throws Unavailable, and
// std::runtime_error where that consumer's queue is not there.
Address CommandAddress(Broker& broker, const Config& config);

}  // namespace iq
