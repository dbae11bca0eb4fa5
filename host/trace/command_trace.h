// What is known of one delivery of a command once it is settled, and the spans that tell it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "host/trace/interval.h"
#include "host/trace/span.h"
#include "host/trace/trace_context.h"

namespace iq {

struct CommandTrace {
  TraceContext context;
  std::string queue;
  std::string type;
  std::string message_id;  // Empty where its producer gave none.
  std::string correlation_id;
  std::string plugin;  // "name/version".
  std::string outcome;
  std::string code;
  std::string error;  // Why it failed, for what counts as an error of the host or a plugin.
  std::uint32_t attempt = 1;
  bool repeat = false;  // The journal knew the command.
  Interval process;     // From its receipt to all of it being settled.
  Interval handle;      // The handler's call, of a whole batch where it took one.
  Interval commit;      // The commit that it shares with its batch.
  Interval publish;     // From publishing what it sends out to the last confirm.
};

// How many spans SpansOf makes of it.
std::size_t SpanCount(const CommandTrace& trace);

// Both clocks at one moment.
struct ClockReading {
  std::chrono::system_clock::time_point system = std::chrono::system_clock::now();
  std::chrono::steady_clock::time_point steady = std::chrono::steady_clock::now();
};

// The span `process TYPE` and its children. `messaging_system` is what carried the command:
// "rabbitmq" or "sqlite".
std::vector<Span> SpansOf(const CommandTrace& trace, const std::string& messaging_system,
                          const ClockReading& clocks);

}  // namespace iq
