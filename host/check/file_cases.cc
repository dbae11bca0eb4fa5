#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iq/abi.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "host/check/cases.h"
#include "host/elf_facts.h"
#include "host/elf_file.h"

namespace iq::check {
namespace {

constexpr std::size_t kKiB = 1024;

std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// With a sentence about "it" where there are none to read.
ElfFacts FactsOf(const Subject& subject) {
  if (const auto fault = ElfFault(subject.file)) throw std::runtime_error("it " + *fault);
  try {
    return ReadElf(ReadBytes(subject.file));
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(fmt::format("it {}", error.what()));
  }
}

std::vector<std::string> UniqueSymbols(const ElfFacts& facts) {
  std::vector<std::string> names;
  for (const ElfSymbol& symbol : facts.exports) {
    if (symbol.unique) names.push_back(symbol.name);
  }
  return names;
}

// A folder that is named from the plugin's own place is not where its private copy lies.
bool NamesItsOwnPlace(const std::string& run_path) {
  return run_path.find("$ORIGIN") != std::string::npos ||
         run_path.find("${ORIGIN}") != std::string::npos;
}

}  // namespace

Finding CheckFile(const Subject& subject) {
  const ElfFacts facts = FactsOf(subject);
  return {.detail =
              fmt::format("{}, {} KiB", facts.architecture, ReadBytes(subject.file).size() / kKiB)};
}

Finding CheckExports(const Subject& subject) {
  std::vector<std::string> names;
  for (const ElfSymbol& symbol : FactsOf(subject).exports) names.push_back(symbol.name);
  const auto entry = std::find(names.begin(), names.end(), IQ_ENTRY_POINT);
  if (entry == names.end()) {
    throw std::runtime_error(
        fmt::format("it does not export {}: write IQ_PLUGIN(…) into one of its sources, once and "
                    "outside of any namespace",
                    IQ_ENTRY_POINT));
  }
  names.erase(entry);
  if (!names.empty()) {
    throw std::runtime_error(
        fmt::format("it exports more than {}: {}; use iq_add_plugin, or link with the SDK's iq.map",
                    IQ_ENTRY_POINT, fmt::join(names, ", ")));
  }
  return {.detail = IQ_ENTRY_POINT};
}

Finding CheckFlags(const Subject& subject) {
  const ElfFacts facts = FactsOf(subject);
  std::vector<std::string> faults;
  const auto require = [&faults](bool holds, std::string fault) {
    if (!holds) faults.push_back(std::move(fault));
  };
  const auto unique = UniqueSymbols(facts);
  require(unique.empty(),
          fmt::format("it cannot be replaced while iq runs, as it shares {} with its next version: "
                      "compile with -fno-gnu-unique",
                      fmt::join(unique, ", ")));
  require(facts.binds_now,
          "what it needs may turn out to be missing in the middle of a command: "
          "link with -Wl,-z,now");
  require(!facts.executable_stack, "it makes stacks executable: link with -Wl,-z,noexecstack");
  require(!facts.text_relocations, "its code is not position-independent: compile with -fPIC");
  require(std::none_of(facts.run_paths.begin(), facts.run_paths.end(), NamesItsOwnPlace),
          "it looks for libraries beside itself ($ORIGIN), and is not loaded from there: link them "
          "into it");
  if (!faults.empty()) throw std::runtime_error(fmt::format("{}", fmt::join(faults, "; ")));
  return {.detail = fmt::format("needs {}", fmt::join(facts.needed, ", "))};
}

}  // namespace iq::check
