#include "host/trace/command_trace.h"

#include <array>
#include <utility>

namespace iq {
namespace {

std::array<std::pair<const char*, const Interval*>, 3> PartsOf(const CommandTrace& trace) {
  return {{{"handle", &trace.handle}, {"commit", &trace.commit}, {"publish", &trace.publish}}};
}

std::chrono::sys_time<std::chrono::nanoseconds> SystemTime(
    std::chrono::steady_clock::time_point time, const ClockReading& clocks) {
  return clocks.system - (clocks.steady - time);
}

Span SpanOver(const Interval& interval, const TraceContext& context, std::string parent_id,
              const ClockReading& clocks) {
  Span span;
  span.trace_id = context.trace_id;
  span.span_id = NewSpanId();
  span.parent_id = std::move(parent_id);
  span.began = SystemTime(interval.began, clocks);
  span.ended = SystemTime(interval.ended, clocks);
  return span;
}

// By OpenTelemetry's conventions for messaging, and our own under "iq.".
std::vector<Attribute> AttributesOf(const CommandTrace& trace,
                                    const std::string& messaging_system) {
  std::vector<Attribute> attributes{
      {"messaging.system", messaging_system},  {"messaging.destination.name", trace.queue},
      {"messaging.operation.type", "process"}, {"messaging.operation.name", "process"},
      {"iq.outcome", trace.outcome},           {"iq.attempt", std::int64_t{trace.attempt}}};
  const auto add = [&attributes](const char* key, const std::string& text) {
    if (!text.empty()) attributes.push_back({key, text});
  };
  add("messaging.message.id", trace.message_id);
  add("messaging.message.conversation_id", trace.correlation_id);
  add("iq.type", trace.type);
  add("iq.code", trace.code);
  add("iq.plugin", trace.plugin);
  if (trace.repeat) attributes.push_back({"iq.repeat", true});
  if (!trace.error.empty()) add("error.type", trace.code);
  return attributes;
}

}  // namespace

std::size_t SpanCount(const CommandTrace& trace) {
  std::size_t count = 1;
  for (const auto& [name, interval] : PartsOf(trace)) count += interval->took_place() ? 1 : 0;
  return count;
}

std::vector<Span> SpansOf(const CommandTrace& trace, const std::string& messaging_system,
                          const ClockReading& clocks) {
  std::vector<Span> spans{SpanOver(trace.process, trace.context, trace.context.parent_id, clocks)};
  Span& process = spans.front();
  process.kind = Span::Kind::kConsumer;
  process.name = trace.type.empty() ? "process" : "process " + trace.type;
  process.attributes = AttributesOf(trace, messaging_system);
  process.error = trace.error;
  const std::string parent_id = process.span_id;
  for (const auto& [name, interval] : PartsOf(trace)) {
    if (!interval->took_place()) continue;
    spans.push_back(SpanOver(*interval, trace.context, parent_id, clocks));
    spans.back().name = name;
  }
  return spans;
}

}  // namespace iq
