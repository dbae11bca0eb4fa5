#include "host/outgoing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "host/base/json_text.h"
#include "host/base/utf8.h"
#include "host/base/uuid.h"
#include "host/services.h"
#include "host/topology.h"

namespace iq {
namespace {

using nlohmann::json;

constexpr std::size_t kReasonBytesMax = 2000;
constexpr std::size_t kPropertyBytesMax = 255;
// All properties of a message travel in one AMQP frame, of 128 KiB unless the broker is told
// otherwise. The rest of it is for what a copy adds.
constexpr std::size_t kHeaderBytesMax = std::size_t{96} * 1024;
constexpr const char* kDroppedHeader = "x-iq-dropped-headers";

constexpr std::array kEpitaphHeaders = {"x-iq-code", "x-iq-reason", "x-iq-outcome", kAttemptsHeader,
                                        "x-iq-type", "x-iq-plugin", "x-iq-at",      "x-iq-queue"};

HeaderValue Text(std::string_view text) { return {ValidUtf8(text.substr(0, kReasonBytesMax))}; }

std::size_t EncodedBytes(const Headers& headers);

// At least what AMQP's encoding of a field value takes.
std::size_t EncodedBytes(const HeaderValue& header) {
  constexpr std::size_t kTagAndLength = 9;
  if (const std::string* text = header.text()) return kTagAndLength + text->size();
  if (const auto* table = std::get_if<Headers>(&header.value)) {
    return kTagAndLength + EncodedBytes(*table);
  }
  std::size_t bytes = kTagAndLength;
  if (const auto* list = std::get_if<HeaderValue::List>(&header.value)) {
    for (const HeaderValue& each : *list) bytes += EncodedBytes(each);
  }
  return bytes;
}

std::size_t EncodedBytes(const Headers& headers) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : headers) bytes += 1 + name.size() + EncodedBytes(value);
  return bytes;
}

// A message that came with as many headers as a frame holds would have no room for another: its
// longest ones go, and their names are noted.
void LeaveRoom(Headers& headers) {
  std::size_t bytes = EncodedBytes(headers);
  std::string dropped;
  while (bytes > kHeaderBytesMax) {
    const auto longest =
        std::max_element(headers.begin(), headers.end(), [](const auto& a, const auto& b) {
          return EncodedBytes(a.second) < EncodedBytes(b.second);
        });
    if (!dropped.empty()) dropped += ", ";
    dropped += longest->first;
    bytes -= 1 + longest->first.size() + EncodedBytes(longest->second);
    headers.erase(longest);
  }
  if (!dropped.empty()) headers[kDroppedHeader] = Text(dropped);
}

// A copy must not expire where it was put to wait, and the broker refuses another's user id.
Message Copy(const Message& original) {
  Message copy = original;
  LeaveRoom(copy.headers);
  if (!copy.expiration.empty()) copy.headers["x-iq-expiration"] = Text(copy.expiration);
  if (!copy.user_id.empty()) copy.headers["x-iq-user-id"] = Text(copy.user_id);
  copy.expiration.clear();
  copy.user_id.clear();
  return copy;
}

}  // namespace

Outgoing EventMessage(const Event& event, const std::string& correlation_id,
                      const std::string& traceparent, const EventsConfig& config) {
  Outgoing out;
  out.address = {config.exchange, event.name};
  out.message.body = event.body;
  out.message.message_id = event.id;
  // The journal's text of an id may have grown beyond what a property holds.
  out.message.correlation_id = correlation_id.substr(0, kPropertyBytesMax);
  out.message.content_type = "application/json";
  Headers& headers = out.message.headers;
  headers["cloudEvents_id"] = Text(event.id);
  headers["cloudEvents_source"] = Text(config.source);
  headers["cloudEvents_type"] = Text(event.name);
  headers["cloudEvents_time"] = Text(event.occurred_at);
  headers["cloudEvents_specversion"] = Text("1.0");
  if (!traceparent.empty()) headers[kTraceparentHeader] = Text(traceparent);
  return out;
}

Event UnrecordedEndEvent(const Command& command, const Verdict& verdict) {
  const char* name = verdict.outcome == Outcome::kRejected ? "command.rejected" : "command.failed";
  // Not numbered among the command's events: those are of the run that commits one day. A command
  // that is judged anew gets another id.
  Event event{NameUuid(command.uuid, fmt::format("{}/{}", name, command.first_event_index)),
              name,
              Rfc3339Now(),
              {}};
  event.body = JsonText(
      json{{"event", name},
           {"id", event.id},
           {"commandId", ValidUtf8(command.id)},
           {"occurredAt", event.occurred_at},
           {"data", {{"type", command.type}, {"code", verdict.code}, {"reason", verdict.reason}}}});
  return event;
}

Outgoing Reply(const Delivery& delivery, const std::string& id, const std::string& type,
               const Verdict& verdict) {
  json body = {{"id", id}, {"type", type}, {"outcome", OutcomeName(verdict.outcome)}};
  body["code"] = verdict.code.empty() ? json() : json(verdict.code);
  body["reason"] = verdict.reason.empty() ? json() : json(verdict.reason);
  body["events"] = json::array();
  for (const Event& event : verdict.events) body["events"].push_back(json::parse(event.body));
  Outgoing out;
  out.address = {"", delivery.message.reply_to};
  out.message.body = JsonText(body);
  out.message.correlation_id = delivery.message.correlation_id.empty()
                                   ? delivery.message.message_id
                                   : delivery.message.correlation_id;
  out.message.content_type = "application/json";
  const auto trace = delivery.message.headers.find(kTraceparentHeader);
  if (trace != delivery.message.headers.end()) out.message.headers.insert(*trace);
  LeaveRoom(out.message.headers);
  return out;
}

Outgoing DeadCopy(const Message& original, const Epitaph& epitaph, const DeadLetterConfig& config) {
  Outgoing out;
  out.address = {"", config.queue};
  out.routing = Publisher::Routing::kRequired;
  out.message = Copy(original);
  Headers& headers = out.message.headers;
  headers["x-iq-code"] = Text(epitaph.verdict.code);
  headers["x-iq-reason"] = Text(epitaph.verdict.reason);
  headers["x-iq-outcome"] = Text(OutcomeName(epitaph.verdict.outcome));
  headers[kAttemptsHeader] = {std::int64_t{epitaph.attempts}};
  headers["x-iq-type"] = Text(epitaph.type);
  headers["x-iq-plugin"] = Text(epitaph.plugin);
  headers["x-iq-at"] = Text(Rfc3339Now());
  headers["x-iq-queue"] = Text(epitaph.queue);
  return out;
}

Outgoing DelayedCopy(const Message& original, const std::string& queue, std::uint32_t attempts_made,
                     const RetryConfig& retry) {
  Outgoing out;
  out.address = {"", DelayQueue(queue, DelayAfter(retry, attempts_made))};
  out.routing = Publisher::Routing::kRequired;
  out.message = Copy(original);
  out.message.headers[kAttemptsHeader] = {std::int64_t{attempts_made}};
  return out;
}

Message WithoutEpitaph(Message message) {
  for (const char* header : kEpitaphHeaders) message.headers.erase(header);
  // The broker's own notes: of each queue a message died in, on its way through the delay queues,
  // and of how often it was given back.
  for (const char* header : {"x-death", "x-delivery-count", "x-first-death-exchange",
                             "x-first-death-queue", "x-first-death-reason"}) {
    message.headers.erase(header);
  }
  return message;
}

}  // namespace iq
