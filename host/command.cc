#include "host/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "host/base/digest.h"
#include "host/base/uuid.h"
#include "host/signature.h"

namespace iq {
namespace {

constexpr std::size_t kIdBytesMax = 255;

iq_str Borrow(const std::string& text) { return {text.data(), text.size()}; }

std::uint32_t CountHeader(const Message& message, const char* name) {
  const auto header = message.headers.find(name);
  if (header == message.headers.end()) return 0;
  const auto* count = std::get_if<std::int64_t>(&header->second.value);
  if (count == nullptr || *count < 0) return 0;
  constexpr std::int64_t kCountMax = 1'000'000;
  return static_cast<std::uint32_t>(std::min(*count, kCountMax));
}

// Null where there is none.
const std::string* TraceparentIn(const Message& message) {
  const auto header = message.headers.find(kTraceparentHeader);
  return header == message.headers.end() ? nullptr : header->second.text();
}

struct RefusedAs {
  const char* code;
  std::string reason;
};

void ReadId(Command& command, const Message& message, Refusal& so_far) {
  const std::string* id = &message.message_id;
  if (id->empty()) id = command.payload.RootText("id");
  command.has_id = id != nullptr && !id->empty();
  if (command.has_id && id->size() > kIdBytesMax) {
    throw RefusedAs{"schema", fmt::format("id: longer than {} bytes", kIdBytesMax)};
  }
  if (command.has_id) so_far.id = *id;
  command.id = command.has_id ? *id : RandomUuid();
}

void CheckAge(const Message& message, const JournalConfig& journal) {
  if (!IsTooOld(message, journal)) return;
  throw RefusedAs{kTooOld,
                  "the message's timestamp is older than journal.keep: whether it was already "
                  "carried out can no longer be told"};
}

void CheckSize(const Message& message, const LimitsConfig& limits) {
  if (message.body.size() <= limits.message) return;
  throw RefusedAs{"too_large",
                  fmt::format("the body is larger than limits.message ({} bytes)", limits.message)};
}

// `name` says in the body what it is.
void ReadType(Command& command, const char* name, Refusal& so_far) {
  const std::string* type = command.payload.RootText(name);
  if (type == nullptr) throw RefusedAs{"schema", fmt::format("{}: missing, or not a string", name)};
  command.type = *type;
  so_far.type = *type;
}

void ReadRest(Command& command, Delivery& delivery, const Config& config) {
  const Message& message = delivery.message;
  command.payload_hash = Sha256Hex(message.body);
  command.attempt = AttemptsBefore(message) + 1;
  command.attempts_max = config.retry.attempts;
  command.first_event_index = CountHeader(message, kEventIndexHeader);
  if (const std::string* traceparent = TraceparentIn(message)) command.traceparent = *traceparent;
  command.trace = TraceOf(message);
  command.delivery = std::move(delivery);
}

std::unique_ptr<Command> ReadCommand(Delivery& delivery, const Config& config, Refusal& so_far) {
  const Message& message = delivery.message;
  CheckSize(message, config.limits);
  // Before the body is parsed: what an unknown sender wrote need not reach a parser. So a body that
  // is both unsigned and no JSON is a bad signature.
  if (auto fault = SignatureFault(message, config.security)) {
    throw RefusedAs{"bad_signature", std::move(*fault)};
  }
  auto command = std::make_unique<Command>(Payload::Parse(message.body));
  command->payload.ReadEmptyArrayAsObject("details");
  ReadType(*command, "type", so_far);
  ReadId(*command, message, so_far);
  if (!command->has_id && config.inbox.require_id) {
    throw RefusedAs{"no_id", "the message has no id, and inbox.require_id is set"};
  }
  command->uuid = UuidOfMessageId(command->id);
  CheckAge(message, config.journal);
  ReadRest(*command, delivery, config);
  return command;
}

std::unique_ptr<Command> ReadEvent(Delivery& delivery, const std::string& listener,
                                   const Config& config, Refusal& so_far) {
  const Message& message = delivery.message;
  CheckSize(message, config.limits);
  auto event = std::make_unique<Command>(Payload::Parse(message.body));
  ReadType(*event, "event", so_far);
  ReadId(*event, message, so_far);
  event->listener = listener;
  event->uuid = UuidOfMessageId(fmt::format("{}:{}", listener, event->id));
  ReadRest(*event, delivery, config);
  return event;
}

// What `read` makes of the delivery, or why it makes nothing of it.
template <typename Read>
Decoded Decoding(Delivery delivery, Read read) {
  Refusal refusal;
  refusal.id = delivery.message.message_id;
  try {
    return read(delivery, refusal);
  } catch (const RefusedAs& refused) {
    refusal.code = refused.code;
    refusal.reason = refused.reason;
  } catch (const PayloadError& error) {
    refusal.code = error.code();
    refusal.reason = error.what();
  }
  refusal.delivery = std::move(delivery);
  return refusal;
}

}  // namespace

bool IsTooOld(const Message& message, const JournalConfig& journal) {
  if (!message.timestamp_s) return false;
  const auto oldest = std::chrono::system_clock::now() - journal.keep;
  const auto oldest_s = std::chrono::floor<std::chrono::seconds>(oldest.time_since_epoch()).count();
  return std::cmp_less(*message.timestamp_s, oldest_s);
}

TraceContext TraceOf(const Message& message) {
  const std::string* traceparent = TraceparentIn(message);
  if (traceparent == nullptr) return {};
  return ParseTraceparent(*traceparent).value_or(TraceContext{});
}

std::uint32_t AttemptsBefore(const Message& message) {
  return CountHeader(message, kAttemptsHeader);
}

iq_command Command::View() const {
  iq_command view{};
  view.struct_size = sizeof view;
  view.attempt = attempt;
  view.attempts_max = attempts_max;
  view.type = Borrow(type);
  view.id = Borrow(id);
  view.body = Borrow(delivery.message.body);
  view.correlation_id = Borrow(delivery.message.correlation_id);
  view.traceparent = Borrow(traceparent);
  constexpr std::uint64_t kMicrosecondsPerSecond = 1'000'000;
  constexpr auto kSecondsMax =
      static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / kMicrosecondsPerSecond;
  const std::uint64_t timestamp_s = delivery.message.timestamp_s.value_or(0);
  view.timestamp_us =
      static_cast<std::int64_t>(std::min(timestamp_s, kSecondsMax) * kMicrosecondsPerSecond);
  view.document = &payload;
  return view;
}

Decoded Decode(Delivery delivery, const Config& config) {
  return Decoding(std::move(delivery), [&](Delivery& given, Refusal& so_far) {
    return ReadCommand(given, config, so_far);
  });
}

Decoded DecodeEvent(Delivery delivery, const std::string& listener, const Config& config) {
  return Decoding(std::move(delivery), [&](Delivery& given, Refusal& so_far) {
    return ReadEvent(given, listener, config, so_far);
  });
}

}  // namespace iq
