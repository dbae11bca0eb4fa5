// Short words for the values and failures of a store's sessions.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "host/store/store.h"

namespace iq {

inline std::span<const iq_value> Args(const std::vector<iq_value>& args) { return args; }

inline iq_str Str(std::string_view text) { return {text.data(), text.size()}; }

inline iq_value OfType(std::uint32_t type) {
  iq_value value{};
  value.type = type;
  return value;
}

inline iq_value Null() { return OfType(IQ_NULL); }

inline iq_value Bool(bool set) {
  iq_value value = OfType(IQ_BOOL);
  value.u.i64 = set ? 1 : 0;
  return value;
}

inline iq_value Int(std::int64_t number) {
  iq_value value = OfType(IQ_INT64);
  value.u.i64 = number;
  return value;
}

inline iq_value Double(double number) {
  iq_value value = OfType(IQ_DOUBLE);
  value.u.f64 = number;
  return value;
}

// Values borrow their texts and items.
inline iq_value Text(std::string_view text) {
  iq_value value = OfType(IQ_TEXT);
  value.u.s = Str(text);
  return value;
}

inline iq_value Bytes(std::string_view bytes) {
  iq_value value = Text(bytes);
  value.type = IQ_BYTES;
  return value;
}

inline iq_value Ints(const std::vector<std::int64_t>& items) {
  iq_value value = OfType(IQ_INT64_ARRAY);
  value.u.array = {items.data(), items.size()};
  return value;
}

inline iq_value Texts(const std::vector<iq_str>& items) {
  iq_value value = OfType(IQ_TEXT_ARRAY);
  value.u.array = {items.data(), items.size()};
  return value;
}

inline std::string_view View(const iq_value& value) {
  return {value.u.s.ptr, static_cast<std::size_t>(value.u.s.len)};
}

// The error that `call` throws. The test fails and ends when it throws none of that type.
template <typename Error, typename Call>
Error Thrown(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  throw std::logic_error("nothing was thrown");
}

}  // namespace iq
