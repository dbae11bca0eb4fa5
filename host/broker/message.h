// A message as the broker carries it: a body, its properties and its headers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace iq {

// An AMQP field value, reduced to what JSON can say too. Timestamps become their seconds, decimals
// their double.
struct HeaderValue {
  using List = std::vector<HeaderValue>;
  using Table = std::map<std::string, HeaderValue>;
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Table> value;

  // The text, or nullptr where the value is something else.
  const std::string* text() const { return std::get_if<std::string>(&value); }
};

using Headers = HeaderValue::Table;

// An empty string is a property that is not set. A message is always sent as persistent.
struct Message {
  std::string body;
  std::string message_id;
  std::string correlation_id;
  std::string reply_to;
  std::string type;
  std::string content_type;
  std::string content_encoding;
  std::string app_id;
  std::string user_id;     // Received only: the broker refuses to carry somebody else's name.
  std::string expiration;  // Received only: a copy that expires would be lost.
  std::optional<std::uint8_t> priority;
  std::optional<std::uint64_t> timestamp_s;  // Seconds since 1970.
  Headers headers;
};

}  // namespace iq
