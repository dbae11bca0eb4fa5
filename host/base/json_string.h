#pragma once

#include <string>
#include <string_view>

namespace iq {

// `text` as a JSON string, with its quotes. What is not UTF-8 becomes U+FFFD.
std::string JsonString(std::string_view text);

}  // namespace iq
