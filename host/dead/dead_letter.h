// A message of the dead-letter queue as people see it: with a name, and what its headers say.
#pragma once

#include <cstdint>
#include <string>

#include "host/broker/broker.h"
#include "host/config.h"

namespace iq {

struct DeadLetter {
  Delivery delivery;
  std::string name;          // The message id as the host reads it, or hash_name without one.
  std::string hash_name;     // "sha:" and the first 12 digits of the body's SHA-256 in hex.
  std::string journal_uuid;  // Empty where the message cannot be in the journal.
  bool nameless = false;     // A command without an id: a second copy would be carried out as well.
  std::string fault;         // Why the message is no command; empty where it is one.
  std::string type;          // Empty where it could not be told, as all below.
  std::string code;
  std::string outcome;
  std::string plugin;
  std::string at;
  std::string reason;
  std::string queue;          // Where it came from.
  std::int64_t attempts = 0;  // 0 where it is not known.
};

// Never throws for what a message holds.
DeadLetter ReadDeadLetter(Delivery delivery, const Config& config);

}  // namespace iq
