#include "host/base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace iq {
namespace {

// The well-formed sequences by their first byte, with the limits of the second one. Source: table
// 3-7 of the Unicode Standard. NUL is left out: PostgreSQL's text cannot hold it.
struct Sequence {
  std::uint8_t first_min;
  std::uint8_t first_max;
  std::uint8_t length;
  std::uint8_t second_min;
  std::uint8_t second_max;
};
constexpr Sequence kSequences[] = {
    {0x01, 0x7F, 1, 0, 0},       {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
    {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
};

// Length of what `text` begins with of ASCII without NUL. Nearly all text is nothing else.
std::size_t AsciiLength(std::string_view text) {
  const auto* const other = std::find_if(text.begin(), text.end(),
                                         [](char c) { return static_cast<signed char>(c) <= 0; });
  return static_cast<std::size_t>(other - text.begin());
}

// Length in bytes of the character that `text` begins with; 0 where there is none.
std::size_t CharacterLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto* const sequence = std::find_if(
      std::begin(kSequences), std::end(kSequences),
      [&](const Sequence& each) { return byte(0) >= each.first_min && byte(0) <= each.first_max; });
  if (sequence == std::end(kSequences) || text.size() < sequence->length) return 0;
  if (sequence->length == 1) return 1;
  if (byte(1) < sequence->second_min || byte(1) > sequence->second_max) return 0;
  for (std::size_t i = 2; i < sequence->length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  return sequence->length;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    std::size_t length = AsciiLength(text);
    if (length == 0) length = CharacterLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string ValidUtf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = AsciiLength(text);
    if (length == 0) length = CharacterLength(text);
    if (length == 0) {
      valid += "\xEF\xBF\xBD";
      length = 1;
    } else {
      valid += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return valid;
}

}  // namespace iq
