#include "host/outgoing_command.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include "host/base/uuid.h"
#include "host/payload.h"
#include "host/signature.h"

namespace iq {

std::string IdInBody(const std::string& body) {
  const Payload payload = Payload::Parse(body);
  const std::string* id = payload.RootText("id");
  return id != nullptr && id->size() <= kIdBytesMax ? *id : std::string();
}

std::string IdForBody(const std::string& body) {
  std::string own = IdInBody(body);
  return own.empty() ? RandomUuid() : own;
}

std::optional<std::string> IdFault(const std::string& id, const SecurityConfig& security) {
  if (id.size() > kIdBytesMax) {
    return fmt::format("the id is longer than {} bytes, which AMQP does not carry; shorten it",
                       kIdBytesMax);
  }
  if (!security.keys.empty() && !IsSignable(id)) {
    return "the id holds a line feed, so that it cannot be signed; give it another";
  }
  return std::nullopt;
}

Message MakeCommand(std::string body, const std::string& id, const SecurityConfig& security) {
  Message message;
  message.body = std::move(body);
  message.message_id = id;
  message.content_type = "application/json";
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  message.timestamp_s =
      static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(now).count());
  if (!security.keys.empty()) {
    message.headers[kSignatureHeader] = {SignatureOf(message, security.keys.front())};
  }
  return message;
}

Address CommandAddress(Broker& broker, const Config& config) {
  const ConsumerConfig& consumer = config.consumers[0];
  if (broker.Inspect(consumer.queue)) return {consumer.exchange, ""};
  throw std::runtime_error(
      fmt::format("{} has no queue \"{}\" (consumers[0].queue); `iq run` declares it",
                  broker.name(), consumer.queue));
}

}  // namespace iq
