#include "tests/e2e/embedded_broker.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "host/base/error.h"
#include "host/base/uuid.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kEvents = "billing.events";
constexpr std::uint8_t kPersistent = 2;  // What stands in the file outlives every process.

// As AmqpProperties want it.
std::string TextOf(const HeaderValue& header) {
  return std::visit(
      [](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        std::vector<std::string> parts;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return "void";
        } else if constexpr (std::is_same_v<T, HeaderValue::List>) {
          parts.reserve(value.size());
          for (const HeaderValue& each : value) parts.push_back(TextOf(each));
          return fmt::format("[{}]", fmt::join(parts, ","));
        } else if constexpr (std::is_same_v<T, HeaderValue::Table>) {
          parts.reserve(value.size());
          for (const auto& [key, each] : value) parts.push_back(key + '=' + TextOf(each));
          return fmt::format("{{{}}}", fmt::join(parts, ","));
        } else {
          return fmt::format("{}", value);
        }
      },
      header.value);
}

Message MessageOf(const AmqpPublishing& publishing) {
  const AmqpProperties& from = publishing.properties;
  Message message;
  message.body = publishing.body;
  message.message_id = from.message_id;
  message.correlation_id = from.correlation_id;
  message.reply_to = from.reply_to;
  message.type = from.type;
  message.content_type = from.content_type;
  message.content_encoding = from.content_encoding;
  message.app_id = from.app_id;
  message.expiration = from.expiration;
  message.priority = from.priority;
  message.timestamp_s = from.timestamp;
  for (const auto& [key, text] : from.headers) message.headers[key] = {text};
  return message;
}

AmqpDelivery DeliveryOf(const Delivery& from) {
  AmqpDelivery delivery;
  delivery.body = from.message.body;
  delivery.exchange = from.address.exchange;
  delivery.key = from.address.routing_key;
  delivery.redelivered = from.redelivered;
  delivery.delivery_mode = kPersistent;
  AmqpProperties& to = delivery.properties;
  to.message_id = from.message.message_id;
  to.correlation_id = from.message.correlation_id;
  to.reply_to = from.message.reply_to;
  to.type = from.message.type;
  to.content_type = from.message.content_type;
  to.content_encoding = from.message.content_encoding;
  to.app_id = from.message.app_id;
  to.expiration = from.message.expiration;
  to.priority = from.message.priority;
  to.timestamp = from.message.timestamp_s;
  for (const auto& [key, header] : from.message.headers) to.headers[key] = TextOf(header);
  return delivery;
}

// Runs `call`; what the driver throws becomes an AmqpError.
template <typename F>
auto Translated(F call) {
  try {
    return call();
  } catch (const Unavailable& error) {
    throw AmqpError(error.what());
  } catch (const UsageError& error) {
    throw AmqpError(error.what());
  }
}

}  // namespace

EmbeddedBroker::EmbeddedBroker(const std::string& path)
    : file_(path), broker_(OpenBroker("sqlite:" + path, "iq tests")) {}

void EmbeddedBroker::Publish(const std::vector<AmqpPublishing>& publishings) {
  constexpr auto kPatience = 20s;
  if (publisher_ == nullptr) publisher_ = broker_->OpenPublisher();
  for (const AmqpPublishing& publishing : publishings) {
    publisher_->Publish({publishing.exchange, publishing.key}, MessageOf(publishing),
                        Publisher::Routing::kRequired);
  }
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (publisher_->unconfirmed() > 0) {
    if (std::chrono::steady_clock::now() > end) throw AmqpError("the file takes no messages");
    (void)publisher_->Collect(100ms);
  }
}

// They are committed together.
void EmbeddedBroker::PublishAtOnce(const std::vector<AmqpPublishing>& publishings,
                                   Process& /*host*/) {
  Publish(publishings);
}

std::string EmbeddedBroker::DeclareTemporaryQueue() {
  const std::string queue = "test." + RandomUuid();
  DeclareDurableQueue(queue);
  return queue;
}

void EmbeddedBroker::DeclareDurableQueue(const std::string& queue) {
  Topology topology;
  topology.queues.push_back({queue, {}, "the test"});
  Translated([&] { broker_->Declare(topology); });
}

void EmbeddedBroker::BindToEvents(const std::string& queue) {
  Topology topology;
  topology.exchanges.push_back({kEvents, "topic", "the test"});
  topology.bindings.push_back({kEvents, queue, "#"});
  Translated([&] { broker_->Declare(topology); });
}

std::vector<AmqpDelivery> EmbeddedBroker::Consume(const std::string& queue, std::size_t count,
                                                  std::chrono::milliseconds deadline) {
  constexpr std::size_t kPrefetchMax = 65'535;
  std::vector<AmqpDelivery> deliveries;
  if (count == 0) return deliveries;
  deliveries.reserve(count);
  const auto consumer =
      broker_->Consume(queue, static_cast<std::uint16_t>(std::min(count, kPrefetchMax)));
  const auto end = std::chrono::steady_clock::now() + deadline;
  do {
    const auto arrived = consumer->Receive(count - deliveries.size(), 20ms);
    for (const Delivery& delivery : arrived) deliveries.push_back(DeliveryOf(delivery));
    if (!arrived.empty()) consumer->Ack(arrived.back().epoch, arrived.back().tag, true);
  } while (deliveries.size() < count && std::chrono::steady_clock::now() < end);
  return deliveries;
}

std::size_t EmbeddedBroker::Depth(const std::string& queue) {
  const auto state = Translated([&] { return broker_->Inspect(queue); });
  if (!state) throw AmqpError("no queue " + queue);
  return state->ready;
}

std::size_t EmbeddedBroker::Consumers(const std::string& queue) {
  const auto state = Translated([&] { return broker_->Inspect(queue); });
  return state ? state->consumers : 0;
}

// What is held by a consumer stays in its queue until it is acked.
bool EmbeddedBroker::Drained() {
  return file_
      .Rows(
          "SELECT 1 FROM iq_broker_queued JOIN iq_broker_queue ON queue = "
          "iq_broker_queue.id WHERE name = 'billing' OR name LIKE 'billing.delay.%' LIMIT 1",
          {})
      .empty();
}

}  // namespace iq::test
