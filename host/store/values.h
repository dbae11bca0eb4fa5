// Parameters for statements. The values borrow what they are given.
#pragma once

#include <iq/abi.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace iq {

inline iq_value TextValue(std::string_view text) {
  iq_value value{};
  value.type = IQ_TEXT;
  value.u.s = {text.data(), text.size()};
  return value;
}

inline iq_value Int64Value(std::int64_t number) {
  iq_value value{};
  value.type = IQ_INT64;
  value.u.i64 = number;
  return value;
}

inline iq_value BoolValue(bool truth) {
  iq_value value{};
  value.type = IQ_BOOL;
  value.u.i64 = truth ? 1 : 0;
  return value;
}

inline iq_value ArrayValue(std::span<const iq_str> texts) {
  iq_value value{};
  value.type = IQ_TEXT_ARRAY;
  value.u.array.items = texts.data();
  value.u.array.count = texts.size();
  return value;
}

inline iq_value ArrayValue(std::span<const std::int64_t> numbers) {
  iq_value value{};
  value.type = IQ_INT64_ARRAY;
  value.u.array.items = numbers.data();
  value.u.array.count = numbers.size();
  return value;
}

}  // namespace iq
