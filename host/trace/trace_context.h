// Where a command belongs in a trace: what its header `traceparent` says, by W3C Trace Context,
// level 1.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace iq {

struct TraceContext {
  std::string trace_id;  // 32 hexadecimal digits; empty for what belongs to no trace.
  std::string
      parent_id;         // 16 of them, of the span that sent it; empty where the trace begins here.
  bool sampled = false;  // Its spans are wanted.
};

// Nothing when `text` is no traceparent. Of a version that is yet to come it reads what version 00
// has, as the standard asks.
std::optional<TraceContext> ParseTraceparent(std::string_view text);

// A trace that begins here.
TraceContext NewTrace();

// For a new span.
std::string NewSpanId();

}  // namespace iq
