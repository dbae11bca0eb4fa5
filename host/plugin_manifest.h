// The note of sdk/iq/abi.h, iq_manifest: who a plugin says it is, read without running any of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/elf_facts.h"

namespace iq {

struct PluginManifest {
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor_least = 0;
  std::uint32_t abi_minor_built = 0;
  std::string name;
  std::string version;
  std::vector<std::string> types;
};

// Empty where the file has none. Throws std::runtime_error, the rest of a sentence about the file,
// for one that cannot be read.
std::optional<PluginManifest> FindManifest(const ElfFacts& facts);

}  // namespace iq
