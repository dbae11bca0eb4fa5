// Text from outside, made fit for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace iq {

// `text` as valid UTF-8 in which nothing ends a line or steers a terminal.
std::string OneLine(std::string_view text);

// As OneLine, but newlines and tabs stay.
std::string ManyLines(std::string_view text);

}  // namespace iq
