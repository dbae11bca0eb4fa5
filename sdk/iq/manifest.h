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

// With its terminating NUL. A listener has no type, and no place in the note.
template <typename Part>
consteval std::size_t TypeBytes() {
  if constexpr (requires { Part::kType; }) return std::string_view(Part::kType).size() + 1;
  return 0;
}

template <typename... Parts>
consteval std::size_t NoteBytes(std::string_view name, std::string_view version) {
  return name.size() + 1 + version.size() + 1 + (0 + ... + TypeBytes<Parts>());
}

// kTextBytes is NoteBytes for the same plugin.
template <std::size_t kTextBytes, typename... Parts>
consteval Note<kTextBytes> MakeNote(std::string_view name, std::string_view version) {
  Note<kTextBytes> note{IQ_MANIFEST_HEAD(kTextBytes), {}};
  std::size_t end = 0;
  const auto add = [&](std::string_view text) {
    std::copy(text.begin(), text.end(), note.text.begin() + static_cast<std::ptrdiff_t>(end));
    end += text.size() + 1;
  };
  add(name);
  add(version);
  const auto add_type = [&]<typename Part>() {
    if constexpr (requires { Part::kType; }) add(Part::kType);
  };
  (add_type.template operator()<Parts>(), ...);
  return note;
}

}  // namespace iq::detail
