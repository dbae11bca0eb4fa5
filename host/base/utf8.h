// Text from outside, made fit for a database and for JSON.
#pragma once

#include <string>
#include <string_view>

namespace iq {

// NUL counts as invalid: PostgreSQL's text cannot hold it.
bool IsValidUtf8(std::string_view text);

// `text` with U+FFFD in place of each byte that is not part of valid UTF-8, and of each NUL.
std::string ValidUtf8(std::string_view text);

}  // namespace iq
