#include "host/plugin_manifest.h"

#include <iq/abi.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace iq {
namespace {

// Three numbers and a zero, then texts that end in NUL.
PluginManifest Parse(const std::string& content) {
  constexpr const char* kFault = "has a manifest that cannot be read; rebuild it with this SDK";
  std::array<std::uint32_t, 4> numbers{};
  if (content.size() <= sizeof numbers || content.back() != '\0') throw std::runtime_error(kFault);
  std::memcpy(numbers.data(), content.data(), sizeof numbers);
  std::vector<std::string> texts;
  for (std::size_t at = sizeof numbers; at < content.size(); at += texts.back().size() + 1) {
    texts.emplace_back(content.c_str() + at);
  }
  if (texts.size() < 2) throw std::runtime_error(kFault);
  return {numbers[0], numbers[1], numbers[2], texts[0], texts[1], {texts.begin() + 2, texts.end()}};
}

}  // namespace

std::optional<PluginManifest> FindManifest(const ElfFacts& facts) {
  for (const ElfNote& note : facts.notes) {
    if (note.owner == IQ_MANIFEST_OWNER && note.type == IQ_MANIFEST_TYPE) {
      return Parse(note.content);
    }
  }
  return std::nullopt;
}

}  // namespace iq
