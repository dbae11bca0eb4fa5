// The parts of a shared library that say what it offers and needs, read from its bytes alone: no
// loader, nothing of it runs. Whatever the bytes are, nothing outside of them is touched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace iq {

struct ElfSymbol {
  std::string name;
  std::string library{};  // For an import, where its version says so: the library it is from.
  bool weak = false;
  // The dynamic linker keeps one of it for the whole process: a second library that defines it, a
  // later version of the same plugin for instance, silently gets the first one's object. g++ makes
  // such symbols of static variables in inline functions and templates, unless -fno-gnu-unique or a
  // version script forbids it.
  bool unique = false;
};

struct ElfNote {
  std::string owner;
  std::uint32_t type = 0;
  std::string content;
};

struct ElfFacts {
  std::string architecture;          // "x86-64"
  std::vector<std::string> needed;   // Libraries that the loader maps with it.
  std::vector<ElfSymbol> exports;    // In the order of the file.
  std::vector<ElfSymbol> undefined;  // What it expects from others, likewise.
  std::vector<ElfNote> notes;
  std::vector<std::string> run_paths;  // Where the loader is told to look for `needed` first.
  bool binds_now = false;              // All it needs is found when it is mapped, or it is not.
  bool executable_stack = false;       // It makes the process's stacks executable.
  bool text_relocations = false;       // Its code is written to while it is mapped.
};

// `bytes` is a whole 64-bit ELF file in this machine's byte order, see host/elf_file.h. Throws
// std::runtime_error for one whose tables do not fit together.
ElfFacts ReadElf(std::string_view bytes);

}  // namespace iq
