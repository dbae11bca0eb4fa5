// What a plugin answers to get_extension of abi.h, made from its handlers while it is compiled.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include <iq/abi.h>
#include <iq/error.h>

namespace iq::detail {

template <typename Part>
concept SaysItsEvents = requires {
  std::string_view(Part::kEvents);
};

// With the bracket or comma before it.
template <typename Part>
consteval std::size_t EventsBytes() {
  if constexpr (SaysItsEvents<Part>) return 1 + std::string_view(Part::kEvents).size();
  return 0;
}

// The parts' objects as one JSON array. At least one part has some.
template <typename... Parts>
consteval auto JoinEvents() {
  std::array<char, (EventsBytes<Parts>() + ...) + 1> text{};
  std::size_t end = 0;
  const auto add = [&](std::string_view more) {
    std::copy(more.begin(), more.end(), text.begin() + static_cast<std::ptrdiff_t>(end));
    end += more.size();
  };
  const auto add_events = [&]<typename Part>() {
    if constexpr (SaysItsEvents<Part>) {
      add(end == 0 ? "[" : ",");
      add(Part::kEvents);
    }
  };
  (add_events.template operator()<Parts>(), ...);
  add("]");
  return text;
}

template <typename... Parts>
inline constexpr auto kEventsText = JoinEvents<Parts...>();

template <typename... Parts>
inline constexpr iq_str kEventsAnswer = {kEventsText<Parts...>.data(),
                                         kEventsText<Parts...>.size()};

template <typename... Parts>
const void* GetExtension(iq_str id) {
  return View(id) == IQ_EXTENSION_EVENTS ? &kEventsAnswer<Parts...> : nullptr;
}

}  // namespace iq::detail
