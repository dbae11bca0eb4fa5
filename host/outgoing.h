// The messages that a command's outcome sends out: events, a reply, a copy for later or for the
// dead.
#pragma once

#include <string>

#include "host/broker/broker.h"
#include "host/command.h"
#include "host/config.h"
#include "host/outcome.h"

namespace iq {

struct Outgoing {
  Address address;
  Message message;
  Publisher::Routing routing = Publisher::Routing::kOptional;
};

Outgoing EventMessage(const Event& event, const std::string& correlation_id,
                      const std::string& traceparent, const EventsConfig& config);

// The event that says that a command ended without a row in the journal: it was given up after its
// last attempt, or turned away because its lock was taken.
Event UnrecordedEndEvent(const Command& command, const Verdict& verdict);

// To delivery.message.reply_to, which must not be empty.
Outgoing Reply(const Delivery& delivery, const std::string& id, const std::string& type,
               const Verdict& verdict);

// What a copy in the dead-letter queue says of its end.
struct Epitaph {
  const Verdict& verdict;
  std::string type;
  std::string plugin;  // "name/version"; may be empty.
  std::string queue;   // The queue it came from.
  std::uint32_t attempts = 1;
};
Outgoing DeadCopy(const Message& original, const Epitaph& epitaph, const DeadLetterConfig& config);

// Into the delay queue, from which it returns to `queue`.
Outgoing DelayedCopy(const Message& original, const std::string& queue, std::uint32_t attempts_made,
                     const RetryConfig& retry);

// The message as its producer sent it: without what dead-lettering and retrying added.
Message WithoutEpitaph(Message message);

}  // namespace iq
