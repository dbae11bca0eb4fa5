// What crosses to the host as a typed value: parameters of statements, members of events.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <iq/abi.h>
#include <iq/error.h>

namespace iq {

// Bytes as they are, for a bytea column. Borrowed.
struct Bytes {
  std::string_view data;
};

namespace detail {

template <typename T, typename... Others>
concept AnyOf = (std::same_as<T, Others> || ...);

// A number, not a character or a truth value.
template <typename T>
concept Integral = std::integral<T> &&
    !AnyOf<std::remove_cv_t<T>, bool, char, wchar_t, char8_t, char16_t, char32_t>;

template <typename T>
concept TextLike =
    std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>;

template <typename T>
concept IntegerArray = std::convertible_to<const T&, std::span<const std::int64_t>>;

template <typename T>
concept TextArray = std::convertible_to<const T&, std::span<const std::string>> ||
    std::convertible_to<const T&, std::span<const std::string_view>>;

}  // namespace detail

// NOLINTBEGIN(google-explicit-constructor): values are meant to be written as they are.

// nullptr or std::nullopt, a bool, an integer, a double, a text, or an optional of these. Text is
// UTF-8 and borrowed: a Value does not outlive the expression that it is written in. Throws
// std::out_of_range for an integer above 2^63-1.
class Value {
 public:
  Value(std::nullptr_t) noexcept {}
  Value(std::nullopt_t) noexcept {}

  template <std::same_as<bool> T>
  Value(T value) noexcept {
    raw_.type = IQ_BOOL;
    raw_.u.i64 = value ? 1 : 0;
  }

  template <detail::Integral T>
  Value(T value) {
    if (!std::in_range<std::int64_t>(value)) throw std::out_of_range("an integer above 2^63-1");
    raw_.type = IQ_INT64;
    raw_.u.i64 = static_cast<std::int64_t>(value);
  }

  Value(double value) noexcept {
    raw_.type = IQ_DOUBLE;
    raw_.u.f64 = value;
  }

  template <detail::TextLike T>
  Value(const T& text) noexcept : Value(IQ_TEXT, std::string_view(text)) {}

  template <typename T>
  Value(const std::optional<T>& value) : Value(value ? Value(*value) : Value(nullptr)) {}

  const iq_value& raw() const noexcept { return raw_; }

 protected:
  Value(std::uint32_t type, std::string_view text) noexcept {
    raw_.type = type;
    raw_.u.s = detail::Borrow(text);
  }

  Value(std::uint32_t type, const void* items, std::size_t count) noexcept {
    raw_.type = type;
    raw_.u.array.items = items;
    raw_.u.array.count = count;
  }

 private:
  iq_value raw_{};  // All zero: IQ_NULL.
};

// One $1, $2, … of a statement: a Value, Bytes, or an array (std::vector, std::array or std::span)
// of std::int64_t, std::string or std::string_view, for unnest($1::bigint[]). Borrowed like a
// Value.
class Parameter : public Value {
 public:
  template <typename T>
  requires std::constructible_from<Value, const T&> Parameter(const T& value) : Value(value) {}

  Parameter(Bytes bytes) noexcept : Value(IQ_BYTES, bytes.data) {}

  template <detail::IntegerArray T>
  Parameter(const T& items) noexcept : Parameter(std::span<const std::int64_t>(items)) {}

  Parameter(std::span<const std::int64_t> items) noexcept
      : Value(IQ_INT64_ARRAY, items.data(), items.size()) {}

  template <detail::TextArray T>
  Parameter(const T& items) : Parameter(Borrowed(items)) {}

  Parameter(const Parameter&) = delete;
  Parameter& operator=(const Parameter&) = delete;

 private:
  explicit Parameter(std::vector<iq_str> texts) noexcept
      : Value(IQ_TEXT_ARRAY, texts.data(), texts.size()), texts_(std::move(texts)) {}

  template <typename T>
  static std::vector<iq_str> Borrowed(const T& items) {
    std::vector<iq_str> texts;
    texts.reserve(std::size(items));
    for (const auto& item : items) texts.push_back(detail::Borrow(item));
    return texts;
  }

  std::vector<iq_str> texts_;  // Moving a vector keeps its items in place: the value points there.
};

// NOLINTEND(google-explicit-constructor)

}  // namespace iq
