#include "host/elf_file.h"

#include <elf.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

namespace iq {
namespace {

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#else
#error "name this machine's ELF number"
#endif

// Whether `count` entries of `entry_size` bytes at `offset` lie inside a file of `size` bytes.
bool Inside(std::uint64_t offset, std::uint64_t entry_size, std::uint64_t count,
            std::uint64_t size) {
  return offset <= size && (count == 0 || entry_size <= (size - offset) / count);
}

}  // namespace

std::optional<std::string> ElfFault(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return "cannot be read: " + std::generic_category().message(errno);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());

  Elf64_Ehdr header{};
  if (bytes.size() < sizeof header) return "is too short to be a shared library";
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return "is not an ELF file";
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kMachine) {
    return "is built for another machine";
  }
  if (header.e_type != ET_DYN) return "is not a shared library";
  constexpr const char* kTruncated = "is truncated: part of it is missing; copy it again";
  if (!Inside(header.e_shoff, header.e_shentsize, header.e_shnum, bytes.size()) ||
      !Inside(header.e_phoff, sizeof(Elf64_Phdr), header.e_phnum, bytes.size())) {
    return kTruncated;
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (!Inside(segment.p_offset, segment.p_filesz, 1, bytes.size())) return kTruncated;
  }
  return std::nullopt;
}

}  // namespace iq
