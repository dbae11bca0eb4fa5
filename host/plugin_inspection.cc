#include "host/plugin_inspection.h"

#include <fmt/format.h>
#include <iq/abi.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "host/elf_facts.h"
#include "host/plugin.h"
#include "host/plugin_manifest.h"

namespace iq {
namespace {

std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool Exports(const ElfFacts& facts, std::string_view name) {
  return std::any_of(facts.exports.begin(), facts.exports.end(),
                     [&](const ElfSymbol& symbol) { return symbol.name == name; });
}

// The first thing against it, as the rest of a sentence about "it". Throws as ReadElf does.
std::optional<std::string> Fault(const ElfFacts& facts) {
  if (!Exports(facts, IQ_ENTRY_POINT)) return kNoEntryPoint;
  if (const auto manifest = FindManifest(facts)) {
    if (auto fault = AbiFault(manifest->abi_major, manifest->abi_minor_least)) return fault;
  }
  if (facts.executable_stack) {
    return "it would make the host's stacks executable; link it with -Wl,-z,noexecstack";
  }
  return std::nullopt;
}

}  // namespace

PluginInspection InspectPlugin(const std::string& file, const std::string& copy) {
  PluginInspection inspection;
  try {
    const ElfFacts facts = ReadElf(ReadBytes(copy));
    if (const auto fault = Fault(facts)) throw PluginRefused(fmt::format("{}: {}", file, *fault));
    for (const ElfSymbol& symbol : facts.exports) {
      if (symbol.unique) inspection.unique_symbols.push_back(symbol.name);
    }
  } catch (const PluginRefused&) {
    throw;
  } catch (const std::runtime_error& fault) {
    throw PluginRefused(fmt::format("{}: the file {}", file, fault.what()));
  }
  return inspection;
}

std::optional<std::string> AbiFault(std::uint32_t major, std::uint32_t minor_least) {
  if (major != IQ_ABI_MAJOR) {
    return fmt::format(
        "it speaks ABI major {}, this host speaks {}; rebuild it with this host's SDK", major,
        IQ_ABI_MAJOR);
  }
  if (minor_least > IQ_ABI_MINOR) {
    return fmt::format("it needs ABI {}.{} or later, this host has {}.{}; update the host",
                       IQ_ABI_MAJOR, minor_least, IQ_ABI_MAJOR, IQ_ABI_MINOR);
  }
  return std::nullopt;
}

}  // namespace iq
