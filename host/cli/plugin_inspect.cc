#include <fmt/format.h>

#include <iq/abi.h>
#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>

#include "host/base/digest.h"
#include "host/base/terminal_text.h"
#include "host/cli/plugin.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/elf_facts.h"
#include "host/elf_file.h"
#include "host/plugin_manifest.h"

namespace iq::cli {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The C and C++ libraries and what they are made of.
bool IsOfTheToolchain(const std::string& library) {
  constexpr std::array kPrefixes = {"libc.so",  "libm.so",  "libstdc++.so", "libgcc_s.so",
                                    "ld-linux", "libdl.so", "librt.so",     "libpthread.so"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](const char* prefix) { return library.starts_with(prefix); });
}

std::vector<std::string> Exports(const ElfFacts& facts) {
  std::vector<std::string> names;
  for (const ElfSymbol& symbol : facts.exports) names.push_back(symbol.name);
  return names;
}

// What has to come from elsewhere than the toolchain's libraries. A weak symbol need not come.
std::vector<std::string> Foreign(const ElfFacts& facts) {
  std::vector<std::string> names;
  for (const ElfSymbol& symbol : facts.undefined) {
    if (symbol.weak || IsOfTheToolchain(symbol.library)) continue;
    names.push_back(symbol.library.empty() ? symbol.name
                                           : fmt::format("{} ({})", symbol.name, symbol.library));
  }
  return names;
}

Record Describe(const std::string& file, const std::string& bytes, const ElfFacts& facts,
                const std::optional<PluginManifest>& manifest) {
  Record record{{"file", file}, {"manifest", manifest.has_value()}};
  if (manifest) {
    const auto& [major, least, built, name, version, types] = *manifest;
    record.insert(record.end(), {{"plugin", name},
                                 {"version", version},
                                 {"types", types},
                                 {"abi", fmt::format("{}.{}", major, least)},
                                 {"abiBuilt", fmt::format("{}.{}", major, built)}});
  }
  record.insert(record.end(), {{"architecture", facts.architecture},
                               {"bytes", static_cast<std::int64_t>(bytes.size())},
                               {"sha256", Sha256Hex(bytes)},
                               {"exports", Exports(facts)},
                               {"needed", facts.needed},
                               {"undefined", Foreign(facts)}});
  return record;
}

// Why the host would refuse it, as the rest of a sentence that begins with its name.
std::optional<std::string> Refusal(const ElfFacts& facts,
                                   const std::optional<PluginManifest>& manifest) {
  if (manifest && manifest->abi_major != IQ_ABI_MAJOR) {
    return fmt::format("speaks ABI major {}, this host speaks {}; rebuild it with this host's SDK",
                       manifest->abi_major, IQ_ABI_MAJOR);
  }
  if (manifest && manifest->abi_minor_least > IQ_ABI_MINOR) {
    return fmt::format("needs ABI {}.{} or later, this host has {}.{}; update the host",
                       IQ_ABI_MAJOR, manifest->abi_minor_least, IQ_ABI_MAJOR, IQ_ABI_MINOR);
  }
  const auto exports = Exports(facts);
  if (std::find(exports.begin(), exports.end(), IQ_ENTRY_POINT) == exports.end()) {
    return fmt::format("does not export {}; it is no iq plugin, or one for another ABI major",
                       IQ_ENTRY_POINT);
  }
  return std::nullopt;
}

int Complain(const std::string& file, const std::string& fault) {
  fmt::print(stderr, "iq: {}: it {}\n", OneLine(file), OneLine(fault));
  return kFailed;
}

}  // namespace

int InspectPlugin(const std::string& file, bool json) {
  if (const auto fault = ElfFault(file)) return Complain(file, *fault);
  const std::string bytes = ReadAll(file);
  ElfFacts facts;
  std::optional<PluginManifest> manifest;
  try {
    facts = ReadElf(bytes);
    manifest = FindManifest(facts);
  } catch (const std::runtime_error& error) {
    return Complain(file, error.what());
  }
  const Record record = Describe(file, bytes, facts, manifest);
  Print(json ? RecordJson(record) : RecordText(record));
  const auto refusal = Refusal(facts, manifest);
  return refusal ? Complain(file, *refusal) : kDone;
}

}  // namespace iq::cli
