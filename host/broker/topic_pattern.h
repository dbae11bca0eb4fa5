// The patterns of a topic exchange.
#pragma once

#include <string_view>

namespace iq {

// Words are parted by dots; in `pattern`, "*" stands for one word and "#" for any number of them.
// An empty key has no words.
bool TopicMatches(std::string_view pattern, std::string_view key);

}  // namespace iq
