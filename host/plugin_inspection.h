// What is found out about a plugin's file before any code of it runs, its constructors included.
#pragma once

#include <iq/abi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace iq {

struct PluginInspection {
  // What a second version of the library would share with it: see ElfSymbol::unique.
  std::vector<std::string> unique_symbols;
};

// `copy` holds the whole library that was dropped as `file`. Throws PluginRefused where it is no
// plugin, is for another ABI, or would change the process it is mapped into.
PluginInspection InspectPlugin(const std::string& file, const std::string& copy);

// The rest of a sentence about "it".
inline constexpr const char* kNoEntryPoint =
    "it does not export " IQ_ENTRY_POINT "; it is no iq plugin, or one for another ABI major";

// What keeps a plugin of this ABI out of this host, as the rest of a sentence about "it"; empty
// where nothing does.
std::optional<std::string> AbiFault(std::uint32_t major, std::uint32_t minor_least);

}  // namespace iq
