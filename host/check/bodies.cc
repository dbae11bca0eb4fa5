#include "host/check/bodies.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "host/schema_examples.h"

namespace iq::check {
namespace {

using nlohmann::json;
using Place = json::json_pointer;

constexpr std::size_t kLongTextBytes = 100'000;
constexpr int kDepth = 24;  // Within what a message may have.

json ParseSchema(std::string_view schema) {
  return schema.empty() ? json::object() : json::parse(schema);
}

json Nested() {
  json inner = json::array();
  for (int i = 0; i < kDepth; ++i) inner = json::array({std::move(inner)});
  return inner;
}

const std::vector<json>& HostileValues() {
  static const std::vector<json> values = {
      nullptr,
      true,
      0,
      -1,
      1,
      std::numeric_limits<std::int64_t>::max(),
      std::numeric_limits<std::int64_t>::min(),
      std::numeric_limits<std::uint64_t>::max(),
      0.1,
      1e308,
      -1e-308,
      "",
      "1",
      "-1",
      "99999999999999999999999999999999999999",
      "1.0000000000000000000000001",
      "null",
      "'; DROP TABLE balance; --",
      "%s%n%x $1 {} \\ \" \r\n\t\a\b\x1b[31m",
      "\u202eright to left\u2066\ufeff\U0001f600",
      "../../../../etc/passwd",
      std::string(kLongTextBytes, 'x'),
      json::array(),
      json::object(),
      json::array({json::object(), nullptr, 1}),
      json::object({{"", ""}, {"__proto__", nullptr}}),
      Nested(),
  };
  return values;
}

// Every place in `value` but its root.
void AddPlaces(const json& value, const Place& at, std::set<Place>& places) {
  if (!value.is_structured()) return;
  for (const auto& [key, member] : value.items()) {
    const Place place = value.is_array() ? at / std::stoul(key) : at / key;
    places.insert(place);
    AddPlaces(member, place, places);
  }
}

// Every member that the schema names.
void AddNamed(const json& schema, const Place& at, std::set<Place>& places) {
  if (!schema.is_object() || !schema.contains("properties")) return;
  for (const auto& [name, member] : schema.at("properties").items()) {
    places.insert(at / name);
    AddNamed(member, at / name, places);
  }
}

// `body` without the member at `place`, where it has one.
json Without(json body, const Place& place) {
  if (body.contains(place)) {
    json& parent = body[place.parent_pointer()];
    if (parent.is_object()) parent.erase(place.back());
  }
  return body;
}

// `body` with `value` at `place`; as it is where something else than an object is on the way there.
json With(json body, const Place& place, const json& value) {
  try {
    body[place] = value;
  } catch (const json::exception&) {
  }
  return body;
}

void AddHostile(const json& base, const std::set<Place>& places, std::set<std::string>& bodies) {
  for (const Place& place : places) {
    bodies.insert(Without(base, place).dump());
    for (const json& value : HostileValues()) bodies.insert(With(base, place, value).dump());
  }
}

// A name that the pattern is for.
std::string NameFor(std::string_view pattern) {
  std::istringstream words{std::string(pattern)};
  std::string name;
  for (std::string word; std::getline(words, word, '.');) {
    if (!name.empty()) name += '.';
    name += word == "*" || word == "#" ? "check" : word;
  }
  return name;
}

}  // namespace

std::vector<std::string> Examples(std::string_view type, std::string_view schema) {
  std::vector<std::string> bodies;
  for (const json& example : SchemaExamples(type, ParseSchema(schema))) {
    bodies.push_back(example.dump());
  }
  return bodies;
}

std::vector<std::string> HostileBodies(std::string_view type, std::string_view schema) {
  const json parsed = ParseSchema(schema);
  std::vector<json> bases = SchemaExamples(type, parsed);
  bases.push_back(json{{"type", type}});
  std::set<std::string> bodies;
  for (const json& base : bases) {
    std::set<Place> places;
    AddPlaces(base, Place(), places);
    AddNamed(parsed, Place(), places);
    places.erase(Place("/type"));  // It would be another type's.
    AddHostile(base, places, bodies);
    bodies.insert(base.dump());
  }
  return {bodies.begin(), bodies.end()};
}

std::vector<std::string> EventBodies(std::string_view pattern) {
  const json base = {{"event", NameFor(pattern)},
                     {"id", "5a4a7d9c-8e5e-4b57-9d0c-3f1f0b1f3c55"},
                     {"commandId", "check"},
                     {"occurredAt", "2026-01-01T00:00:00.000000Z"},
                     {"data", {{"userId", 2}, {"sum", 1000}, {"balance", 2000}}}};
  std::set<Place> places;
  AddPlaces(base, Place(), places);
  places.erase(Place("/event"));
  std::set<std::string> bodies = {base.dump()};
  AddHostile(base, places, bodies);
  return {bodies.begin(), bodies.end()};
}

}  // namespace iq::check
