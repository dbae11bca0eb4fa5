#include "host/elf_facts.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>
#include <map>
#include <stdexcept>

namespace iq {
namespace {

[[noreturn]] void Damaged() { throw std::runtime_error("is damaged: its tables do not fit"); }

std::string_view Slice(std::string_view bytes, std::uint64_t offset, std::uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset) Damaged();
  return bytes.substr(offset, size);
}

template <typename T>
T Read(std::string_view bytes, std::uint64_t offset) {
  T value{};
  std::memcpy(&value, Slice(bytes, offset, sizeof value).data(), sizeof value);
  return value;
}

// The text at `offset`, up to its NUL.
std::string Text(std::string_view bytes, std::uint64_t offset) {
  if (offset >= bytes.size()) Damaged();
  const std::size_t end = bytes.find('\0', offset);
  if (end == std::string_view::npos) Damaged();
  return std::string(bytes.substr(offset, end - offset));
}

std::string Architecture(unsigned machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "aarch64";
    default:
      return fmt::format("machine {}", machine);
  }
}

class Sections {
 public:
  explicit Sections(std::string_view bytes) : bytes_(bytes) {
    const auto header = Read<Elf64_Ehdr>(bytes, 0);
    if (header.e_shnum != 0 && header.e_shentsize != sizeof(Elf64_Shdr)) Damaged();
    for (unsigned i = 0; i < header.e_shnum; ++i) {
      sections_.push_back(Read<Elf64_Shdr>(bytes, header.e_shoff + i * sizeof(Elf64_Shdr)));
    }
  }

  std::vector<Elf64_Shdr> Of(std::uint32_t type) const {
    std::vector<Elf64_Shdr> found;
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type == type) found.push_back(section);
    }
    return found;
  }

  std::string_view Content(const Elf64_Shdr& section) const {
    return Slice(bytes_, section.sh_offset, section.sh_size);
  }

  // The table of texts that goes with the section.
  std::string_view Texts(const Elf64_Shdr& section) const {
    if (section.sh_link >= sections_.size()) Damaged();
    return Content(sections_[section.sh_link]);
  }

 private:
  std::string_view bytes_;
  std::vector<Elf64_Shdr> sections_;
};

// A loader that finds no such segment assumes that it needs an executable stack.
bool ExecutableStack(std::string_view bytes) {
  const auto header = Read<Elf64_Ehdr>(bytes, 0);
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const auto segment = Read<Elf64_Phdr>(bytes, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type == PT_GNU_STACK) return (segment.p_flags & PF_X) != 0;
  }
  return true;
}

void ReadDynamicEntry(const Elf64_Dyn& entry, std::string_view texts, ElfFacts& facts) {
  switch (entry.d_tag) {
    case DT_NEEDED:
      facts.needed.push_back(Text(texts, entry.d_un.d_val));
      break;
    case DT_RPATH:
    case DT_RUNPATH:
      facts.run_paths.push_back(Text(texts, entry.d_un.d_val));
      break;
    case DT_TEXTREL:
      facts.text_relocations = true;
      break;
    case DT_BIND_NOW:
      facts.binds_now = true;
      break;
    case DT_FLAGS:
      facts.binds_now = facts.binds_now || (entry.d_un.d_val & DF_BIND_NOW) != 0;
      facts.text_relocations = facts.text_relocations || (entry.d_un.d_val & DF_TEXTREL) != 0;
      break;
    case DT_FLAGS_1:
      facts.binds_now = facts.binds_now || (entry.d_un.d_val & DF_1_NOW) != 0;
      break;
    default:
      break;
  }
}

void ReadDynamic(const Sections& sections, ElfFacts& facts) {
  for (const Elf64_Shdr& section : sections.Of(SHT_DYNAMIC)) {
    const std::string_view content = sections.Content(section);
    for (std::uint64_t at = 0; at < content.size(); at += sizeof(Elf64_Dyn)) {
      const auto entry = Read<Elf64_Dyn>(content, at);
      if (entry.d_tag == DT_NULL) break;
      ReadDynamicEntry(entry, sections.Texts(section), facts);
    }
  }
}

// Without the bit that hides a version from the linker.
constexpr unsigned kVersionMask = 0x7FFFU;

// Offsets within one of these sections only grow, so that each walk below ends.
std::uint64_t Next(std::uint64_t at, std::uint32_t step) {
  if (step == 0) Damaged();
  return at + step;
}

using LibraryByVersion = std::map<unsigned, std::string>;

void AddLibrary(std::string_view content, std::string_view texts, std::uint64_t at,
                LibraryByVersion& libraries) {
  const auto need = Read<Elf64_Verneed>(content, at);
  const std::string file = Text(texts, need.vn_file);
  std::uint64_t version_at = at + need.vn_aux;
  for (unsigned left = need.vn_cnt; left > 0; --left) {
    const auto version = Read<Elf64_Vernaux>(content, version_at);
    libraries[version.vna_other & kVersionMask] = file;
    if (left > 1) version_at = Next(version_at, version.vna_next);
  }
}

// The library that each version of an imported symbol belongs to.
LibraryByVersion Libraries(const Sections& sections) {
  LibraryByVersion libraries;
  for (const Elf64_Shdr& section : sections.Of(SHT_GNU_verneed)) {
    const std::string_view content = sections.Content(section);
    std::uint64_t at = 0;
    for (std::uint32_t left = section.sh_info; left > 0; --left) {
      AddLibrary(content, sections.Texts(section), at, libraries);
      if (left > 1) at = Next(at, Read<Elf64_Verneed>(content, at).vn_next);
    }
  }
  return libraries;
}

// The version of each dynamic symbol, as many as there are symbols; nothing where none has one.
std::string_view Versions(const Sections& sections) {
  const auto found = sections.Of(SHT_GNU_versym);
  return found.empty() ? std::string_view() : sections.Content(found[0]);
}

bool IsVisible(const Elf64_Sym& symbol) {
  const unsigned binding = ELF64_ST_BIND(symbol.st_info);
  const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  return binding != STB_LOCAL && (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

void ReadSymbols(const Sections& sections, ElfFacts& facts) {
  const LibraryByVersion libraries = Libraries(sections);
  const std::string_view versions = Versions(sections);
  for (const Elf64_Shdr& section : sections.Of(SHT_DYNSYM)) {
    const std::string_view content = sections.Content(section);
    for (std::uint64_t i = 1; i < content.size() / sizeof(Elf64_Sym); ++i) {
      const auto entry = Read<Elf64_Sym>(content, i * sizeof(Elf64_Sym));
      if (!IsVisible(entry)) continue;
      ElfSymbol symbol{.name = Text(sections.Texts(section), entry.st_name)};
      symbol.weak = ELF64_ST_BIND(entry.st_info) == STB_WEAK;
      symbol.unique = ELF64_ST_BIND(entry.st_info) == STB_GNU_UNIQUE;
      if (entry.st_shndx != SHN_UNDEF) {
        facts.exports.push_back(std::move(symbol));
        continue;
      }
      if (!versions.empty()) {
        const auto version = Read<std::uint16_t>(versions, i * sizeof(std::uint16_t));
        const auto library = libraries.find(version & kVersionMask);
        if (library != libraries.end()) symbol.library = library->second;
      }
      facts.undefined.push_back(std::move(symbol));
    }
  }
}

// An owner and a content each fill whole words.
std::uint64_t Padded(std::uint64_t size) { return (size + 3) / 4 * 4; }

std::vector<ElfNote> Notes(const Sections& sections) {
  std::vector<ElfNote> notes;
  for (const Elf64_Shdr& section : sections.Of(SHT_NOTE)) {
    if (section.sh_addralign > 4) continue;  // Laid out in another way, as .note.gnu.property is.
    const std::string_view content = sections.Content(section);
    for (std::uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= content.size();) {
      const auto header = Read<Elf64_Nhdr>(content, at);
      const std::uint64_t owner_at = at + sizeof header;
      const std::uint64_t content_at = owner_at + Padded(header.n_namesz);
      ElfNote note;
      note.owner = Slice(content, owner_at, header.n_namesz);
      if (!note.owner.empty() && note.owner.back() == '\0') note.owner.pop_back();
      note.type = header.n_type;
      note.content = Slice(content, content_at, header.n_descsz);
      notes.push_back(std::move(note));
      at = content_at + Padded(header.n_descsz);
    }
  }
  return notes;
}

}  // namespace

ElfFacts ReadElf(std::string_view bytes) {
  const Sections sections(bytes);
  ElfFacts facts;
  facts.architecture = Architecture(Read<Elf64_Ehdr>(bytes, 0).e_machine);
  facts.executable_stack = ExecutableStack(bytes);
  ReadDynamic(sections, facts);
  ReadSymbols(sections, facts);
  facts.notes = Notes(sections);
  return facts;
}

}  // namespace iq
