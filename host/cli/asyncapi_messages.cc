#include "host/cli/asyncapi_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace iq::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kJsonType = "application/json";

constexpr const char* kCommandHeaders = R"({
  "type": "object",
  "description": "Properties of the AMQP message and, where that is said, its headers.",
  "properties": {
    "message_id": {"type": "string", "minLength": 1, "maxLength": 255,
      "description": "The command's id, unless the body has one as `id`. A repeated id changes nothing and is answered as the first time."},
    "correlation_id": {"type": "string",
      "description": "Its events and its reply carry it. Without one they carry the command's id."},
    "reply_to": {"type": "string",
      "description": "The queue to which the outcome is sent. Without one there is no reply."},
    "timestamp": {"type": "integer", "description": "Seconds since 1970. What is too old is refused."},
    "x-iq-signature": {"type": "string", "pattern": "^[0-9a-f]{64}$",
      "description": "A header: the lower-case hex of HMAC-SHA256(key, message_id + \"\\n\" + body). Looked at where iq has keys."},
    "traceparent": {"type": "string",
      "description": "A header: the W3C trace context, passed on to events and reply."}
  }
})";

constexpr const char* kEventHeaders = R"({
  "type": "object",
  "description": "Properties of the AMQP message and, from `cloudEvents_id` on, its headers.",
  "required": ["message_id", "correlation_id", "content_type", "cloudEvents_id",
    "cloudEvents_source", "cloudEvents_type", "cloudEvents_time", "cloudEvents_specversion"],
  "properties": {
    "message_id": {"type": "string", "format": "uuid",
      "description": "The event's id: the same each time it is published."},
    "correlation_id": {"type": "string",
      "description": "The command's correlation id or, without one, its id."},
    "content_type": {"const": "application/json"},
    "cloudEvents_id": {"type": "string", "format": "uuid"},
    "cloudEvents_source": {"type": "string"},
    "cloudEvents_type": {"type": "string", "description": "The event's name."},
    "cloudEvents_time": {"type": "string", "format": "date-time"},
    "cloudEvents_specversion": {"const": "1.0"},
    "traceparent": {"type": "string", "description": "The command's, where it had one."}
  }
})";

constexpr const char* kReplyHeaders = R"({
  "type": "object",
  "description": "Properties of the AMQP message and, where that is said, its headers.",
  "required": ["content_type"],
  "properties": {
    "correlation_id": {"type": "string",
      "description": "The command's correlation id or, without one, its message_id."},
    "content_type": {"const": "application/json"},
    "traceparent": {"type": "string", "description": "A header: the command's, where it had one."}
  }
})";

constexpr const char* kDeadLetterHeaders = R"({
  "type": "object",
  "description": "Headers of the AMQP message, beside those that it came with.",
  "required": ["x-iq-code", "x-iq-reason", "x-iq-outcome", "x-iq-attempts", "x-iq-type",
    "x-iq-plugin", "x-iq-at", "x-iq-queue"],
  "properties": {
    "x-iq-code": {"type": "string", "description": "Why, for programs."},
    "x-iq-reason": {"type": "string", "description": "Why, for people."},
    "x-iq-outcome": {"enum": ["rejected", "invalid", "retry", "failed"]},
    "x-iq-attempts": {"type": "integer", "minimum": 1},
    "x-iq-type": {"type": "string", "description": "As far as it could be told."},
    "x-iq-plugin": {"type": "string", "description": "NAME/VERSION, where there was one."},
    "x-iq-at": {"type": "string", "format": "date-time"},
    "x-iq-queue": {"type": "string", "description": "The queue it came from."}
  }
})";

constexpr const char* kEvent = R"({
  "type": "object",
  "required": ["event", "id", "commandId", "occurredAt", "data"],
  "properties": {
    "event": {"type": "string", "description": "The event's name."},
    "id": {"type": "string", "format": "uuid",
      "description": "The same each time it is published: a copy is known by it."},
    "commandId": {"type": "string", "description": "Of the command that it came of."},
    "occurredAt": {"type": "string", "format": "date-time"},
    "data": {"type": "object"}
  }
})";

constexpr const char* kReply = R"({
  "type": "object",
  "required": ["id", "type", "outcome", "code", "reason", "events"],
  "properties": {
    "id": {"type": "string", "description": "The command's."},
    "type": {"type": "string", "description": "The command's."},
    "outcome": {"enum": ["done", "rejected", "invalid", "retry", "failed"],
      "description": "`retry` and `failed`: there will be no other attempt."},
    "code": {"type": ["string", "null"], "description": "Why, for programs; null where it is done."},
    "reason": {"type": ["string", "null"], "description": "Why, for people; null where it is done."},
    "events": {"type": "array", "items": {"$ref": "#/components/schemas/event"},
      "description": "As they are published."}
  }
})";

Json SharedSchema(const std::string& key) {
  return Json::object({{"$ref", "#/components/schemas/" + key}});
}

bool HoldsData(std::string_view keyword) {
  constexpr std::array<std::string_view, 4> kOnes{"const", "enum", "default", "examples"};
  return std::find(kOnes.begin(), kOnes.end(), keyword) != kOnes.end();
}

bool HoldsSchemasByName(std::string_view keyword) {
  constexpr std::array<std::string_view, 4> kOnes{"properties", "patternProperties", "definitions",
                                                  "dependencies"};
  return std::find(kOnes.begin(), kOnes.end(), keyword) != kOnes.end();
}

// A reference to a part of the schema itself becomes one to that part of the document.
void MoveReferences(Json& schema, const std::string& place) {
  if (schema.is_array()) {
    for (Json& each : schema) MoveReferences(each, place);
  }
  if (!schema.is_object()) return;
  for (auto& [keyword, value] : schema.items()) {
    if (HoldsSchemasByName(keyword) && value.is_object()) {
      for (auto& [name, below] : value.items()) MoveReferences(below, place);
    } else if (keyword == "$ref" && value.is_string()) {
      const auto to = value.get<std::string>();
      if (to == "#" || to.starts_with("#/")) value = place + to.substr(1);
    } else if (!HoldsData(keyword)) {
      MoveReferences(value, place);
    }
  }
}

// The schema as it is written, but that it stands at `place` of the document.
Json SchemaAt(const std::string& text, const std::string& place) {
  Json schema = Json::parse(text);
  schema.erase("$id");  // Its references would be looked up elsewhere.
  MoveReferences(schema, place);
  return schema;
}

// What a plugin need not say: it is asked because of the type.
void RequireType(Json& schema, const std::string& type) {
  const auto properties = schema.find("properties");
  if (properties != schema.end() && properties->contains("type")) return;
  schema["properties"]["type"]["const"] = type;
  Json& required = schema["required"];
  const Json name = "type";
  if (std::find(required.begin(), required.end(), name) == required.end()) required.push_back(name);
}

// The members of a schema's `examples` as examples of the message.
Json ExamplesOf(const Json& schema) {
  Json examples = Json::array();
  const auto given = schema.find("examples");
  if (given == schema.end() || !given->is_array()) return examples;
  for (const Json& payload : *given) {
    if (payload.is_object()) examples.push_back(Json::object({{"payload", payload}}));
  }
  return examples;
}

Json MessageOf(const std::string& name, const char* headers, Json payload) {
  Json message = Json::object();
  message["name"] = name;
  message["contentType"] = kJsonType;
  message["headers"] = SharedSchema(headers);
  message["correlationId"]["location"] = "$message.header#/correlation_id";
  message["payload"] = std::move(payload);
  return message;
}

// Each of them once.
std::vector<std::string> Distinct(const std::vector<Served::Emitter>& emitters,
                                  std::string Served::Emitter::*member) {
  std::vector<std::string> values;
  for (const Served::Emitter& emitter : emitters) {
    const std::string& value = emitter.*member;
    if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
  }
  return values;
}

// Those who emit an event may say different things of its data.
Json DataOf(const std::vector<Served::Emitter>& emitters, const std::string& place) {
  const std::vector<std::string> schemas = Distinct(emitters, &Served::Emitter::schema);
  if (schemas.size() == 1) return SchemaAt(schemas[0], place);
  Json data = Json::object();
  for (std::size_t i = 0; i < schemas.size(); ++i) {
    data["anyOf"].push_back(SchemaAt(schemas[i], fmt::format("{}/anyOf/{}", place, i)));
  }
  return data;
}

}  // namespace

Json CommandMessage(const Served::Command& command, const std::string& place) {
  Json schema = Json::object({{"type", "object"}});
  if (!command.schema.empty()) schema = SchemaAt(command.schema, place + "/payload");
  RequireType(schema, command.type);
  Json examples = ExamplesOf(schema);
  Json message = MessageOf(command.type, "commandHeaders", std::move(schema));
  if (!examples.empty()) message["examples"] = std::move(examples);
  message["x-iq-plugin"] = command.plugin;
  return message;
}

Json EventMessage(const std::string& name, const std::vector<Served::Emitter>& emitters,
                  const std::string& place) {
  Json payload = Json::parse(kEvent);
  payload["properties"]["event"] = Json::object({{"const", name}});
  payload["properties"]["data"] = DataOf(emitters, place + "/payload/properties/data");
  Json message = MessageOf(name, "eventHeaders", std::move(payload));
  message["x-iq-plugins"] = Distinct(emitters, &Served::Emitter::plugin);
  return message;
}

Json AnyEventMessage() { return MessageOf("event", "eventHeaders", SharedSchema("event")); }

Json ReplyMessage() {
  Json message = MessageOf("reply", "replyHeaders", Json::parse(kReply));
  message["summary"] = "What became of a command";
  return message;
}

Json DeadLetterMessage() {
  Json message = Json::object();
  message["name"] = "deadLetter";
  message["summary"] = "What could not be carried out, and why";
  message["description"] =
      "The message as it came, its properties and headers included, and the headers below. It need "
      "not be JSON.";
  message["headers"] = SharedSchema("deadLetterHeaders");
  return message;
}

Json SharedSchemas(const Config& config) {
  Json schemas = Json::object();
  schemas["commandHeaders"] = Json::parse(kCommandHeaders);
  if (config.security.require_signature) {
    schemas["commandHeaders"]["required"] = Json::array({"x-iq-signature"});
  }
  schemas["eventHeaders"] = Json::parse(kEventHeaders);
  schemas["eventHeaders"]["properties"]["cloudEvents_source"] =
      Json::object({{"const", config.events.source}});
  schemas["replyHeaders"] = Json::parse(kReplyHeaders);
  schemas["deadLetterHeaders"] = Json::parse(kDeadLetterHeaders);
  schemas["event"] = Json::parse(kEvent);
  return schemas;
}

}  // namespace iq::cli
