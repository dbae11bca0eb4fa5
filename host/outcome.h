// What became of a command, in the words that users see.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace iq {

enum class Outcome {
  kDone,      // Effects committed.
  kRejected,  // A business refusal, recorded in the journal.
  kInvalid,   // Not a command at all; no effect, no record.
  kRetry,     // Not now: tried again later.
  kFailed,    // A fault: tried again later.
};

std::string_view OutcomeName(Outcome outcome);

// One event of a command. `id` is the same each time it is published.
struct Event {
  std::string id;
  std::string name;         // The routing key.
  std::string occurred_at;  // RFC 3339.
  std::string body;         // The JSON object as published.
};

struct Verdict {
  Outcome outcome = Outcome::kDone;
  std::string code;  // Empty for kDone.
  std::string reason;
  std::vector<Event> events;
  bool final = false;  // Not to be tried again, whatever the outcome.

  static Verdict Of(Outcome outcome, std::string code, std::string reason) {
    return {outcome, std::move(code), std::move(reason), {}, outcome == Outcome::kInvalid};
  }
};

}  // namespace iq
