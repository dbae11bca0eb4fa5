#include "host/broker/embedded_message.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "host/base/digest.h"
#include "host/base/utf8.h"

namespace iq::embedded {
namespace {

using nlohmann::json;

// JSON has no word for some values: they become an object with one of these as its only key. A
// table that could be taken for one of them, or has a key that is no text, becomes a list of pairs.
constexpr const char* kBytes = "$hex";
constexpr const char* kNumber = "$number";
constexpr const char* kTable = "$table";
constexpr char kMark = '$';

constexpr std::array kTexts = {
    std::pair{"message_id", &Message::message_id},
    std::pair{"correlation_id", &Message::correlation_id},
    std::pair{"reply_to", &Message::reply_to},
    std::pair{"type", &Message::type},
    std::pair{"content_type", &Message::content_type},
    std::pair{"content_encoding", &Message::content_encoding},
    std::pair{"app_id", &Message::app_id},
};
constexpr const char* kPriority = "priority";
constexpr const char* kTimestamp = "timestamp";
constexpr const char* kHeaders = "headers";

bool IsText(std::string_view bytes) { return ValidUtf8(bytes) == bytes; }

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned value = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    bytes += static_cast<char>(value);
  }
  return bytes;
}

json FromText(const std::string& text) {
  if (IsText(text)) return text;
  return {{kBytes, Hex(text)}};
}

std::string ToText(const json& value) {
  if (value.is_object()) return FromHex(value.at(kBytes).get<std::string>());
  return value.get<std::string>();
}

json FromDouble(double number) {
  if (std::isfinite(number)) return number;
  if (std::isnan(number)) return {{kNumber, "nan"}};
  return {{kNumber, number > 0 ? "inf" : "-inf"}};
}

double ToDouble(const std::string& name) {
  if (name == "nan") return std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  return name == "inf" ? infinity : -infinity;
}

json FromTable(const HeaderValue::Table& table);

json FromValue(const HeaderValue& from) {
  struct Writer {
    json operator()(std::monostate) const { return nullptr; }
    json operator()(bool value) const { return value; }
    json operator()(std::int64_t value) const { return value; }
    json operator()(double value) const { return FromDouble(value); }
    json operator()(const std::string& value) const { return FromText(value); }
    json operator()(const HeaderValue::List& value) const {
      json list = json::array();
      for (const HeaderValue& item : value) list.push_back(FromValue(item));
      return list;
    }
    json operator()(const HeaderValue::Table& value) const { return FromTable(value); }
  };
  return std::visit(Writer{}, from.value);
}

json FromTable(const HeaderValue::Table& table) {
  json object = json::object();
  bool plain = true;
  for (const auto& [key, value] : table) plain = plain && !key.starts_with(kMark) && IsText(key);
  if (plain) {
    for (const auto& [key, value] : table) object[key] = FromValue(value);
    return object;
  }
  json pairs = json::array();
  for (const auto& [key, value] : table) {
    json pair = json::array();
    pair.push_back(FromText(key));
    pair.push_back(FromValue(value));
    pairs.push_back(std::move(pair));
  }
  object[kTable] = std::move(pairs);
  return object;
}

HeaderValue ToValue(const json& from);

HeaderValue::Table ToTable(const json& object) {
  HeaderValue::Table table;
  const auto pairs = object.find(kTable);
  if (pairs == object.end()) {
    for (const auto& [key, value] : object.items()) table[key] = ToValue(value);
    return table;
  }
  for (const json& pair : *pairs) table[ToText(pair.at(0))] = ToValue(pair.at(1));
  return table;
}

HeaderValue ToValue(const json& from) {
  switch (from.type()) {
    case json::value_t::boolean:
      return {from.get<bool>()};
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      return {from.get<std::int64_t>()};
    case json::value_t::number_float:
      return {from.get<double>()};
    case json::value_t::string:
      return {from.get<std::string>()};
    case json::value_t::array: {
      HeaderValue::List list;
      for (const json& item : from) list.push_back(ToValue(item));
      return {std::move(list)};
    }
    case json::value_t::object:
      if (from.contains(kBytes)) return {ToText(from)};
      if (from.contains(kNumber)) return {ToDouble(from.at(kNumber).get<std::string>())};
      return {ToTable(from)};
    default:
      return {};
  }
}

}  // namespace

std::string PropertiesToJson(const Message& message) {
  json properties = json::object();
  for (const auto& [name, text] : kTexts) {
    if (!(message.*text).empty()) properties[name] = FromText(message.*text);
  }
  if (message.priority) properties[kPriority] = *message.priority;
  if (message.timestamp_s) properties[kTimestamp] = *message.timestamp_s;
  if (message.headers.contains("CC") || message.headers.contains("BCC")) {
    HeaderValue::Table headers = message.headers;
    headers.erase("CC");
    headers.erase("BCC");
    properties[kHeaders] = FromTable(headers);
  } else if (!message.headers.empty()) {
    properties[kHeaders] = FromTable(message.headers);
  }
  return properties.dump();
}

Message PropertiesFromJson(std::string_view text) {
  const json properties = json::parse(text);
  Message message;
  for (const auto& [name, member] : kTexts) {
    if (const auto found = properties.find(name); found != properties.end()) {
      message.*member = ToText(*found);
    }
  }
  if (const auto found = properties.find(kPriority); found != properties.end()) {
    message.priority = found->get<std::uint8_t>();
  }
  if (const auto found = properties.find(kTimestamp); found != properties.end()) {
    message.timestamp_s = found->get<std::uint64_t>();
  }
  if (const auto found = properties.find(kHeaders); found != properties.end()) {
    message.headers = ToTable(*found);
  }
  return message;
}

std::string TableToJson(const HeaderValue::Table& table) { return FromTable(table).dump(); }

HeaderValue::Table TableFromJson(std::string_view text) { return ToTable(json::parse(text)); }

}  // namespace iq::embedded
