// From bytes to a command: what a delivery says, or why it says nothing that can be run.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "host/broker/broker.h"
#include "host/config.h"
#include "host/locks/locks.h"
#include "host/outcome.h"
#include "host/payload.h"
#include "host/trace/trace_context.h"

namespace iq {

class Seat;  // host/bus.h

// The headers of our own on a message that was here before.
inline constexpr const char* kAttemptsHeader = "x-iq-attempts";
inline constexpr const char* kEventIndexHeader = "x-iq-event-index";
inline constexpr const char* kTraceparentHeader = "traceparent";

struct Command {
  explicit Command(Payload body) : payload(std::move(body)) {}

  Delivery delivery;
  Payload payload;
  // Of the listener that it is for, when this is an event on its way to one. Empty: a command.
  std::string listener;
  std::string type;          // Of an event, its name.
  std::string id;            // As the producer gave it; a random UUID where it gave none.
  bool has_id = false;       // The producer gave one, so that a repetition can be recognised.
  std::string uuid;          // The journal's key.
  std::string payload_hash;  // SHA-256 of the body, in hex.
  std::uint32_t attempt = 1;
  std::uint32_t attempts_max = 1;
  std::uint32_t first_event_index = 0;  // Above 0 for a command that was judged before.
  std::string traceparent;              // As it came: what the command sends out carries the same.
  TraceContext trace;                   // What that says.
  // Set by the bus: the handler that it keeps until it is decided, and the keys of its plan.
  std::shared_ptr<Seat> seat;
  LockKeys keys;

  // What the command is to a plugin. Valid as long as this object stays in place.
  iq_command View() const;

  // The correlation id that its events and its reply carry.
  const std::string& correlation_id() const {
    return delivery.message.correlation_id.empty() ? id : delivery.message.correlation_id;
  }
};

// A delivery that is no command: settled as kInvalid.
struct Refusal {
  Delivery delivery;
  std::string id;    // As far as it could be told.
  std::string type;  // As far as it could be told.
  std::string code;
  std::string reason;
};

using Decoded = std::variant<std::unique_ptr<Command>, Refusal>;

// Reads everything but what depends on the type: its schema and its plan are the bus's business.
// Never throws for what a message holds.
Decoded Decode(Delivery delivery, const Config& config);

// The same for an event from the queue of `listener`. It carries no signature, has no age, and is
// noted in the journal for each listener on its own.
Decoded DecodeEvent(Delivery delivery, const std::string& listener, const Config& config);

// The code of a command whose own timestamp is older than what the journal remembers.
inline constexpr const char* kTooOld = "too_old";
bool IsTooOld(const Message& message, const JournalConfig& journal);

// What its traceparent says; empty where it has none that is valid.
TraceContext TraceOf(const Message& message);

// How often the message has been tried before this delivery.
std::uint32_t AttemptsBefore(const Message& message);

}  // namespace iq
