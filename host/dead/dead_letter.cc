#include "host/dead/dead_letter.h"

#include <fmt/format.h>

#include <memory>
#include <utility>
#include <variant>

#include "host/base/digest.h"
#include "host/command.h"
#include "host/topology.h"

namespace iq {
namespace {

std::string HashName(const std::string& body) {
  constexpr std::size_t kDigitsShown = 12;
  return "sha:" + Sha256Hex(body).substr(0, kDigitsShown);
}

std::string TextHeader(const Message& message, const char* name) {
  const auto header = message.headers.find(name);
  if (header == message.headers.end() || header->second.text() == nullptr) return {};
  return *header->second.text();
}

// What the broker says where it moved the message itself, which then has no headers of ours.
void ReadBrokersWord(const Message& message, const Config& config, DeadLetter& letter) {
  letter.code = TextHeader(message, "x-first-death-reason");
  const std::string queue = TextHeader(message, "x-first-death-queue");
  // It may be a delay queue that the message has only waited in.
  for (const ConsumerConfig& consumer : config.consumers) {
    if (consumer.queue == queue) letter.queue = queue;
  }
  if (!ListenerOf(config, queue).empty()) letter.queue = queue;
}

}  // namespace

DeadLetter ReadDeadLetter(Delivery delivery, const Config& config) {
  DeadLetter letter;
  const Message& message = delivery.message;
  letter.hash_name = HashName(message.body);
  letter.name = message.message_id.empty() ? letter.hash_name : message.message_id;
  letter.type = TextHeader(message, "x-iq-type");
  letter.code = TextHeader(message, "x-iq-code");
  letter.outcome = TextHeader(message, "x-iq-outcome");
  letter.plugin = TextHeader(message, "x-iq-plugin");
  letter.at = TextHeader(message, "x-iq-at");
  letter.reason = TextHeader(message, "x-iq-reason");
  letter.queue = TextHeader(message, "x-iq-queue");
  letter.attempts = AttemptsBefore(message);
  if (letter.outcome.empty()) ReadBrokersWord(message, config, letter);
  const std::string listener = ListenerOf(config, letter.queue);
  Decoded decoded = listener.empty() ? Decode(std::move(delivery), config)
                                     : DecodeEvent(std::move(delivery), listener, config);
  if (auto* const refusal = std::get_if<Refusal>(&decoded)) {
    letter.fault = fmt::format("{}: {}", refusal->code, refusal->reason);
    letter.delivery = std::move(refusal->delivery);
    return letter;
  }
  Command& command = *std::get<std::unique_ptr<Command>>(decoded);
  if (letter.type.empty()) letter.type = command.type;
  letter.nameless = !command.has_id;
  if (command.has_id) {
    letter.name = command.id;
    letter.journal_uuid = command.uuid;
  }
  letter.delivery = std::move(command.delivery);
  return letter;
}

}  // namespace iq
