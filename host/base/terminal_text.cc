#include "host/base/terminal_text.h"

#include <fmt/format.h>

#include <iterator>

#include "host/base/utf8.h"

namespace iq {
namespace {

// U+0080 to U+009F, in their two bytes: terminals obey some of them as they obey ESC.
bool IsC1Control(std::string_view text) {
  return text.size() >= 2 && text[0] == '\xC2' && static_cast<unsigned char>(text[1]) < 0xA0;
}

std::string Harmless(std::string_view text, std::string_view kept) {
  const std::string valid = ValidUtf8(text);
  std::string harmless;
  for (std::size_t i = 0; i < valid.size(); ++i) {
    const auto byte = static_cast<unsigned char>(valid[i]);
    const bool control = byte < 0x20 || byte == 0x7F;
    if (control && kept.find(valid[i]) == std::string_view::npos) {
      fmt::format_to(std::back_inserter(harmless), "\\x{:02x}", byte);
    } else if (IsC1Control(std::string_view(valid).substr(i))) {
      fmt::format_to(std::back_inserter(harmless), "\\x{:02x}",
                     static_cast<unsigned char>(valid[++i]));
    } else {
      harmless += valid[i];
    }
  }
  return harmless;
}

}  // namespace

std::string OneLine(std::string_view text) { return Harmless(text, ""); }

std::string ManyLines(std::string_view text) { return Harmless(text, "\n\t"); }

}  // namespace iq
