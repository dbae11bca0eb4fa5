// JSON as text. What is not UTF-8 becomes U+FFFD, where nlohmann's own dump() would throw.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace iq {

// `text` as a JSON string, with its quotes.
std::string JsonString(std::string_view text);

// With each level indented by `indent` spaces, or on one line where it is negative.
std::string JsonText(const nlohmann::json& value, int indent = -1);
std::string JsonText(const nlohmann::ordered_json& value, int indent = -1);

}  // namespace iq
