// The protocol's JSON is protobuf's with one exception: ids are hexadecimal and not base64. 64-bit
// integers are decimal strings, enumerations are numbers.
#include <nlohmann/json.hpp>

#include "host/base/json_text.h"
#include "host/trace/span.h"
#include "host/version.h"

namespace iq {
namespace {

using nlohmann::json;

constexpr int kStatusError = 2;

json ToJson(const Attribute& attribute) {
  struct Writer {
    json operator()(const std::string& text) const { return {{"stringValue", text}}; }
    json operator()(std::int64_t number) const { return {{"intValue", std::to_string(number)}}; }
    json operator()(bool truth) const { return {{"boolValue", truth}}; }
  };
  return {{"key", attribute.key}, {"value", std::visit(Writer{}, attribute.value)}};
}

json ToJson(std::span<const Attribute> attributes) {
  json list = json::array();
  for (const Attribute& attribute : attributes) list.push_back(ToJson(attribute));
  return list;
}

std::string Nanoseconds(std::chrono::sys_time<std::chrono::nanoseconds> time) {
  return std::to_string(time.time_since_epoch().count());
}

json ToJson(const Span& span) {
  json object = {{"traceId", span.trace_id},
                 {"spanId", span.span_id},
                 {"name", span.name},
                 {"kind", static_cast<int>(span.kind)},
                 {"startTimeUnixNano", Nanoseconds(span.began)},
                 {"endTimeUnixNano", Nanoseconds(span.ended)},
                 {"attributes", ToJson(std::span(span.attributes))}};
  if (!span.parent_id.empty()) object["parentSpanId"] = span.parent_id;
  if (!span.error.empty()) object["status"] = {{"code", kStatusError}, {"message", span.error}};
  return object;
}

}  // namespace

std::string OtlpJson(std::span<const Span> spans, std::span<const Attribute> resource) {
  json list = json::array();
  for (const Span& span : spans) list.push_back(ToJson(span));
  const json scope = {{"scope", {{"name", "iq"}, {"version", std::string(kVersion)}}},
                      {"spans", list}};
  const json of_resource = {{"resource", {{"attributes", ToJson(resource)}}},
                            {"scopeSpans", json::array({scope})}};
  const json request = {{"resourceSpans", json::array({of_resource})}};
  return JsonText(request);
}

}  // namespace iq
