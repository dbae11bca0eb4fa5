#include "host/store/parameters.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

#include "host/base/digest.h"
#include "host/store/store.h"

namespace iq {
namespace {

constexpr std::size_t kNull = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kNumberBytesMax = 32;  // The longest int64 has 20, the longest double 24.

template <typename Number>
void AppendNumber(std::string& out, Number number) {
  char digits[kNumberBytesMax];
  const auto end = std::to_chars(digits, digits + kNumberBytesMax, number).ptr;
  out.append(digits, end);
}

void AppendDouble(std::string& out, double number) {
  if (std::isnan(number)) {
    out += "NaN";
  } else if (std::isinf(number)) {
    out += number > 0 ? "Infinity" : "-Infinity";
  } else {
    AppendNumber(out, number);  // The shortest digits that read back as the same double.
  }
}

// iq_str may have a null pointer where its length is zero.
std::string_view View(const iq_str& text) {
  return text.len == 0 ? std::string_view{} : std::string_view{text.ptr, text.len};
}

void RefuseNul(std::string_view text, std::size_t position) {
  if (text.find('\0') == std::string_view::npos) return;
  throw StoreError(StoreError::Kind::kStatement, "22021", "",
                   fmt::format("parameter ${} is a text with a NUL byte", position));
}

template <typename Item, typename AppendItem>
void AppendArray(std::string& out, const iq_value& value, AppendItem append) {
  const std::span items(static_cast<const Item*>(value.u.array.items), value.u.array.count);
  out += '{';
  for (const Item& item : items) {
    if (&item != items.data()) out += ',';
    append(item);
  }
  out += '}';
}

// Every element is quoted, so that an empty text, NULL as a word, blanks, commas and braces need no
// care of their own.
void AppendElement(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace

void Parameters::Append(const iq_value& value, std::size_t position) {
  switch (value.type) {
    case IQ_BOOL:
      text_ += value.u.i64 != 0 ? 't' : 'f';
      return;
    case IQ_INT64:
      AppendNumber(text_, value.u.i64);
      return;
    case IQ_DOUBLE:
      AppendDouble(text_, value.u.f64);
      return;
    case IQ_TEXT:
    case IQ_JSON:
      RefuseNul(View(value.u.s), position);
      text_ += View(value.u.s);
      return;
    case IQ_BYTES:
      text_ += "\\x" + Hex(View(value.u.s));
      return;
    case IQ_INT64_ARRAY:
      AppendArray<std::int64_t>(text_, value,
                                [this](std::int64_t item) { AppendNumber(text_, item); });
      return;
    case IQ_TEXT_ARRAY:
      AppendArray<iq_str>(text_, value, [this, position](const iq_str& item) {
        RefuseNul(View(item), position);
        AppendElement(text_, View(item));
      });
      return;
    default:
      throw StoreError(StoreError::Kind::kStatement, "42804", "",
                       fmt::format("parameter ${} has the unknown type {}", position, value.type));
  }
}

void Parameters::Set(std::span<const iq_value> args) {
  text_.clear();
  starts_.clear();
  values_.clear();
  for (const iq_value& arg : args) {
    if (arg.type == IQ_NULL) {
      starts_.push_back(kNull);
      continue;
    }
    starts_.push_back(text_.size());
    Append(arg, starts_.size());
    text_ += '\0';
  }
  for (const std::size_t start : starts_) {
    values_.push_back(start == kNull ? nullptr : text_.data() + start);
  }
}

}  // namespace iq
