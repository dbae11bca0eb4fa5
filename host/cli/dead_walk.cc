#include "host/cli/dead_walk.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <utility>
#include <vector>

#include "host/base/digest.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/command.h"
#include "host/topology.h"

namespace iq::cli {
namespace {

// However old a letter is, what it says is to be shown.
constexpr std::chrono::years kEver{100};

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

DeadWalk::DeadWalk(Broker& broker, const Config& config) : config_(config) {
  config_.security = {};
  config_.journal.keep = kEver;
  const std::string& queue = config.dead_letter.queue;
  const auto state = broker.Inspect(queue);
  if (!state) {
    throw std::runtime_error(fmt::format(
        "{} has no queue \"{}\" (dead_letter.queue); `iq run` declares it", broker.name(), queue));
  }
  size_ = state->ready;
  browser_ = broker.Browse(queue);
}

std::optional<DeadLetter> DeadWalk::Next() {
  if (passed_ == size_) return std::nullopt;
  auto delivery = browser_->Next();
  if (!delivery) return std::nullopt;
  ++passed_;
  return ReadDeadLetter(std::move(*delivery), config_);
}

void DeadWalk::Remove(std::span<const DeadLetter> letters) {
  std::vector<std::uint64_t> tags;
  tags.reserve(letters.size());
  for (const DeadLetter& letter : letters) tags.push_back(letter.delivery.tag);
  browser_->Remove(tags);
}

bool DeadChoice::Takes(const DeadLetter& letter) {
  ++seen_;
  if (!filter_.Takes(letter) || !IsWanted(letter)) return false;
  ++taken_;
  return true;
}

bool DeadChoice::IsWanted(const DeadLetter& letter) {
  if (wanted_.empty()) return all_ || !filter_.empty();
  for (const std::string& name : {letter.name, letter.hash_name}) {
    if (!wanted_.contains(name)) continue;
    met_.insert(name);
    return true;
  }
  return false;
}

int DeadChoice::Report(const std::string& queue) const {
  int status = kDone;
  for (const std::string& name : wanted_) {
    if (met_.contains(name)) continue;
    fmt::print(stderr, "iq: {} holds no message \"{}\"{}; see `iq dead list`\n", queue,
               OneLine(name), filter_.empty() ? "" : " that the filters let pass");
    status = kFailed;
  }
  if (wanted_.empty() && taken_ == 0 && seen_ > 0) {
    fmt::print(stderr, "none of the {} in {} is meant\n", seen_, queue);
  }
  return status;
}

}  // namespace iq::cli
