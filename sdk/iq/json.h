// Builds the JSON objects of events, so that no handler escapes text by hand.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include <iq/abi.h>
#include <iq/value.h>

namespace iq {

class Object;

// The text of a JSON value, taken over as it is: from Command::Json, for instance. Borrowed.
struct RawJson {
  std::string_view text;
};

// NOLINTBEGIN(google-explicit-constructor): values are meant to be written as they are.

// A member's value: a Value, RawJson, or a nested Object. Borrowed like a Value.
class JsonValue : public Value {
 public:
  template <typename T>
  requires std::constructible_from<Value, const T&> JsonValue(const T& value) : Value(value) {}
  JsonValue(RawJson json) noexcept : Value(IQ_JSON, json.text) {}
  JsonValue(const Object& object) noexcept;
};

// NOLINTEND(google-explicit-constructor)

struct Member {
  std::string_view key;
  JsonValue value;
};

// A JSON object, built member by member in the order given. Keys and text must be UTF-8 and keys
// must differ: the host checks both when the object is emitted, and refuses what is not so.
//
// Owns its text. Not thread-safe.
class Object {
 public:
  Object() = default;
  explicit Object(  // NOLINT(google-explicit-constructor): braces alone could also mean RawJson.
      std::initializer_list<Member> members) {
    for (const Member& member : members) Add(member.key, member.value);
  }

  // Throws std::invalid_argument for a double that is no number: JSON has no way to say it.
  Object& Add(std::string_view key, const JsonValue& value) {
    text_.pop_back();
    if (text_.size() > 1) text_ += ',';
    AppendText(key);
    text_ += ':';
    AppendValue(value.raw());
    text_ += '}';
    return *this;
  }

  std::string_view text() const noexcept { return text_; }

 private:
  void AppendValue(const iq_value& value) {
    switch (value.type) {
      case IQ_BOOL:
        text_ += value.u.i64 != 0 ? "true" : "false";
        return;
      case IQ_INT64:
        text_ += std::to_string(value.u.i64);
        return;
      case IQ_DOUBLE:
        AppendNumber(value.u.f64);
        return;
      case IQ_TEXT:
        AppendText(detail::View(value.u.s));
        return;
      case IQ_JSON:
        text_ += detail::View(value.u.s);
        return;
      default:
        text_ += "null";
    }
  }

  // The shortest text that reads back as the same double.
  void AppendNumber(double number) {
    if (!std::isfinite(number)) throw std::invalid_argument("JSON has no infinity and no NaN");
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
    text_.append(buffer.data(), end);
  }

  void AppendText(std::string_view text) {
    text_ += '"';
    for (const char character : text) AppendCharacter(character);
    text_ += '"';
  }

  // RFC 8259, section 7: what must be escaped is, everything else is UTF-8 as it is.
  void AppendCharacter(char character) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    static constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t";
    static constexpr std::string_view kLetters = "\"\\bfnrt";
    const auto code = static_cast<unsigned char>(character);
    if (const auto at = kEscaped.find(character); at != std::string_view::npos) {
      text_ += '\\';
      text_ += kLetters[at];
    } else if (code < 0x20) {
      text_ += "\\u00";
      text_ += kHex[code >> 4U];
      text_ += kHex[code & 0xFU];
    } else {
      text_ += character;
    }
  }

  std::string text_ = "{}";
};

inline JsonValue::JsonValue(const Object& object) noexcept : Value(IQ_JSON, object.text()) {}

}  // namespace iq
