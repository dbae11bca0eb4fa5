// How the configuration writes durations, sizes and references to the environment.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace iq {

// A whole number and a unit: ms, s, m, h or d. Nothing when `text` is not one or overflows.
std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text);
// In the largest unit that divides it. The inverse of ParseDuration.
std::string DurationText(std::chrono::milliseconds duration);

// A whole number and a unit: B, KiB or MiB. Nothing when `text` is not one or overflows.
std::optional<std::size_t> ParseSize(std::string_view text);
std::string SizeText(std::size_t bytes);

struct HostAndPort {
  std::string host;  // An IPv6 address without its brackets.
  std::uint16_t port = 0;
};
// HOST:PORT. Nothing when `text` is not one.
std::optional<HostAndPort> ParseHostAndPort(std::string_view text);

// 1 to 64 of the letters A-Z and a-z, the digits, and . _ -
bool IsTokenName(std::string_view text);

// The value of a variable, nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// Replaces ${NAME} and ${NAME:-default} (taken where NAME is not set or empty); $${ stands for ${.
// What a variable holds is not expanded again. Throws UsageError that says what is wrong.
std::string Expand(std::string_view text, const Environment& environment);
// Expand(Unexpanded(text)) is `text`.
std::string Unexpanded(std::string_view text);

// The one of `known` that `word` is most likely a misspelling of; empty when none comes near.
std::string_view Nearest(std::string_view word, std::span<const std::string> known);

}  // namespace iq
