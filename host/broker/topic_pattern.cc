#include "host/broker/topic_pattern.h"

#include <cstddef>
#include <vector>

namespace iq {
namespace {

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  if (text.empty()) return words;
  for (;;) {
    const std::size_t dot = text.find('.');
    words.push_back(text.substr(0, dot));
    if (dot == std::string_view::npos) return words;
    text.remove_prefix(dot + 1);
  }
}

}  // namespace

// Keeps which beginnings of the key the pattern's words up to here can match: its cost is bounded
// by the product of the lengths, however many "#" there are.
bool TopicMatches(std::string_view pattern, std::string_view key) {
  const auto words = Words(key);
  std::vector<bool> matched(words.size() + 1, false);
  matched[0] = true;
  for (const std::string_view part : Words(pattern)) {
    if (part == "#") {
      for (std::size_t i = 1; i <= words.size(); ++i) matched[i] = matched[i] || matched[i - 1];
      continue;
    }
    for (std::size_t i = words.size(); i > 0; --i) {
      matched[i] = matched[i - 1] && (part == "*" || part == words[i - 1]);
    }
    matched[0] = false;
  }
  return matched[words.size()];
}

}  // namespace iq
