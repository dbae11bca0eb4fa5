// The note of abi.h that says who a plugin is, made from its handlers while it is compiled.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <iq/abi.h>

namespace iq::detail {

template <std::size_t kTextBytes>
struct Note {
  iq_manifest head;
  std::array<char, kTextBytes> text;
};

template <typename... Hs>
consteval std::size_t NoteBytes(std::string_view name, std::string_view version) {
  std::size_t bytes = 0;
  for (const std::string_view text : {name, version, std::string_view(Hs::kType)...}) {
    bytes += text.size() + 1;
  }
  return bytes;
}

// kTextBytes is NoteBytes for the same plugin.
template <std::size_t kTextBytes, typename... Hs>
consteval Note<kTextBytes> MakeNote(std::string_view name, std::string_view version) {
  Note<kTextBytes> note{IQ_MANIFEST_HEAD(kTextBytes), {}};
  std::size_t end = 0;
  for (const std::string_view text : {name, version, std::string_view(Hs::kType)...}) {
    std::copy(text.begin(), text.end(), note.text.begin() + static_cast<std::ptrdiff_t>(end));
    end += text.size() + 1;
  }
  return note;
}

}  // namespace iq::detail
