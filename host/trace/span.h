// A span, as OpenTelemetry has it, and the JSON in which the OpenTelemetry Protocol carries spans.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace iq {

struct Attribute {
  std::string key;
  std::variant<std::string, std::int64_t, bool> value;
};

struct Span {
  // With the protocol's numbers.
  enum class Kind : std::uint8_t { kInternal = 1, kConsumer = 5 };

  std::string trace_id;  // Hexadecimal, as the other two.
  std::string span_id;
  std::string parent_id;  // Empty where the trace begins with it.
  std::string name;
  Kind kind = Kind::kInternal;
  std::chrono::sys_time<std::chrono::nanoseconds> began;
  std::chrono::sys_time<std::chrono::nanoseconds> ended;
  std::vector<Attribute> attributes;
  std::string error;  // Empty unless it failed.
};

// The request for /v1/traces: an ExportTraceServiceRequest. `resource` says who has made the spans.
std::string OtlpJson(std::span<const Span> spans, std::span<const Attribute> resource);

}  // namespace iq
