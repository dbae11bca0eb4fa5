// The command as a handler sees it, and the plan of its locks.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <iq/abi.h>
#include <iq/error.h>

namespace iq {

// A validated message, read-only. A view: it and every text it gives live until the call that it
// was handed to returns. Used by the thread of that call only.
//
// A path is a key of the body; dots nest ("details.uuid"). The plain forms throw Invalid, naming
// the path, where there is no such value, or one of another type; the Find forms give nullopt
// where there is none or it is null, and throw Invalid where it is of another type.
class Command {
 public:
  Command(const iq_core& core, const iq_command& raw) noexcept : core_(&core), raw_(&raw) {}

  std::string_view type() const noexcept { return Field(&iq_command::type); }
  // As the producer gave it; generated where it gave none.
  std::string_view id() const noexcept { return Field(&iq_command::id); }
  // The JSON document as it came.
  std::string_view body() const noexcept { return Field(&iq_command::body); }
  // Empty where the producer gave none, as is traceparent (W3C trace context).
  std::string_view correlation_id() const noexcept { return Field(&iq_command::correlation_id); }
  std::string_view traceparent() const noexcept { return Field(&iq_command::traceparent); }

  // 1 the first time that the command is tried.
  std::uint32_t attempt() const noexcept { return detail::Read(*raw_, &iq_command::attempt); }
  std::uint32_t attempts_max() const noexcept {
    return detail::Read(*raw_, &iq_command::attempts_max);
  }
  // Whether a Retry now would dead-letter the command.
  bool last_attempt() const noexcept { return attempt() >= attempts_max(); }

  // The producer's clock; nullopt where it gave no time.
  std::optional<std::chrono::system_clock::time_point> timestamp() const noexcept {
    const std::int64_t time_us = detail::Read(*raw_, &iq_command::timestamp_us);
    if (time_us == 0) return std::nullopt;
    return std::chrono::system_clock::time_point(std::chrono::microseconds(time_us));
  }

  // A 64-bit integer; 2.0 is none.
  std::int64_t Integer(std::string_view path) const {
    return Required(FindInteger(path), path, kInteger);
  }
  std::optional<std::int64_t> FindInteger(std::string_view path) const {
    const auto value = Get(path, kInteger, IQ_INT64, IQ_INT64);
    return value ? std::optional(value->u.i64) : std::nullopt;
  }

  std::string_view Text(std::string_view path) const {
    return Required(FindText(path), path, kText);
  }
  std::optional<std::string_view> FindText(std::string_view path) const {
    const auto value = Get(path, kText, IQ_TEXT, IQ_TEXT);
    return value ? std::optional(detail::View(value->u.s)) : std::nullopt;
  }

  bool Bool(std::string_view path) const { return Required(FindBool(path), path, kBool); }
  std::optional<bool> FindBool(std::string_view path) const {
    const auto value = Get(path, kBool, IQ_BOOL, IQ_BOOL);
    return value ? std::optional(value->u.i64 != 0) : std::nullopt;
  }

  // Any number, rounded to a double: not for money, see Decimal.
  double Number(std::string_view path) const { return Required(FindNumber(path), path, kNumber); }
  std::optional<double> FindNumber(std::string_view path) const {
    const auto value = Get(path, kNumber, IQ_DOUBLE, IQ_INT64);
    if (!value) return std::nullopt;
    return value->type == IQ_DOUBLE ? value->u.f64 : static_cast<double>(value->u.i64);
  }

  // The text of an object or array.
  std::string_view Json(std::string_view path) const {
    return Required(FindJson(path), path, kJson);
  }
  std::optional<std::string_view> FindJson(std::string_view path) const {
    const auto value = Get(path, kJson, IQ_JSON, IQ_JSON);
    return value ? std::optional(detail::View(value->u.s)) : std::nullopt;
  }

  // A decimal number, given as a JSON number or a string without exponent, times 10^scale, exactly:
  // with scale 3, "12.345" is 12345. Of another type is also what has more than `scale` decimals,
  // and what does not fit 64 bits. May be zero or negative.
  std::int64_t Decimal(std::string_view path, std::uint32_t scale) const {
    return Required(FindDecimal(path, scale), path, kDecimal);
  }
  std::optional<std::int64_t> FindDecimal(std::string_view path, std::uint32_t scale) const {
    std::int64_t value = 0;
    const iq_rc rc =
        detail::Call(*core_, &iq_core::command_decimal, raw_, detail::Borrow(path), scale, &value);
    if (rc == IQ_E_NOT_FOUND) return std::nullopt;
    if (rc == IQ_E_TYPE) {
      throw Invalid(std::string(path) + " must be a decimal number with at most " +
                    std::to_string(scale) + " decimals, within 64 bits");
    }
    detail::Check(rc);
    return value;
  }

 private:
  static constexpr std::string_view kInteger = "a 64-bit integer";
  static constexpr std::string_view kText = "a string";
  static constexpr std::string_view kBool = "true or false";
  static constexpr std::string_view kNumber = "a number";
  static constexpr std::string_view kJson = "an object or array";
  static constexpr std::string_view kDecimal = "a decimal number";

  std::string_view Field(iq_str iq_command::*member) const noexcept {
    return detail::View(detail::Read(*raw_, member));
  }

  // A value of type `one` or `other`.
  std::optional<iq_value> Get(std::string_view path, std::string_view kind, std::uint32_t one,
                              std::uint32_t other) const {
    iq_value value{};
    const iq_rc rc =
        detail::Call(*core_, &iq_core::command_get, raw_, detail::Borrow(path), &value);
    if (rc == IQ_E_NOT_FOUND) return std::nullopt;
    detail::Check(rc);
    if (value.type == IQ_NULL) return std::nullopt;
    if (value.type != one && value.type != other) Complain(path, kind);
    return value;
  }

  template <typename T>
  static T Required(std::optional<T> value, std::string_view path, std::string_view kind) {
    if (!value) Complain(path, kind);
    return *value;
  }

  [[noreturn]] static void Complain(std::string_view path, std::string_view kind) {
    throw Invalid(std::string(path) + " must be " + std::string(kind));
  }

  const iq_core* core_;
  const iq_command* raw_;
};

// Where Plan names what must be held while the command is handled. Depends on the message alone:
// Plan may run several times for one command. At most 16 keys of at most 255 bytes; repeats are
// harmless. Throws HostCallFailed beyond that. Lives for the call, on its thread.
class Plan {
 public:
  Plan(const iq_core& core, iq_plan* raw) noexcept : core_(&core), raw_(raw) {}

  void Lock(std::string_view key) {
    detail::Check(detail::Call(*core_, &iq_core::plan_lock, raw_, detail::Borrow(key)));
  }

  // The key is `prefix` and then the number: Lock("user:", 2) is "user:2".
  void Lock(std::string_view prefix, std::int64_t number) {
    Lock(std::string(prefix) + std::to_string(number));
  }

 private:
  const iq_core* core_;
  iq_plan* raw_;
};

}  // namespace iq
