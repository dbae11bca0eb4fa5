#include "host/config_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <system_error>
#include <vector>

#include "host/base/error.h"

namespace iq {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// Largest first.
constexpr std::array<Unit, 5> kDurationUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 3> kSizeUnits{{{"MiB", 1024 * 1024}, {"KiB", 1024}, {"B", 1}}};

std::optional<std::int64_t> ParseQuantity(std::string_view text, std::span<const Unit> units) {
  if (text.empty() || text[0] == '-') return std::nullopt;
  std::int64_t number = 0;
  const auto* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view name(end, static_cast<std::size_t>(last - end));
  const auto unit = std::find_if(units.begin(), units.end(),
                                 [name](const Unit& candidate) { return candidate.name == name; });
  if (unit == units.end()) return std::nullopt;
  if (number > std::numeric_limits<std::int64_t>::max() / unit->factor) return std::nullopt;
  return number * unit->factor;
}

// `zero_unit` is the one that reads best with nothing to measure.
std::string QuantityText(std::int64_t quantity, std::span<const Unit> units,
                         std::string_view zero_unit) {
  if (quantity == 0) return fmt::format("0{}", zero_unit);
  const auto unit = std::find_if(units.begin(), units.end(), [quantity](const Unit& candidate) {
    return quantity % candidate.factor == 0;
  });
  return fmt::format("{}{}", quantity / unit->factor, unit->name);
}

bool IsName(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && !is_digit(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return is_letter(c) || is_digit(c); });
}

// `reference` is what stands between ${ and }.
std::string ValueOf(std::string_view reference, const Environment& environment) {
  const auto separator = reference.find(":-");
  const std::string name(reference.substr(0, separator));
  if (!IsName(name)) {
    throw UsageError(
        fmt::format("${{{}}} names no variable; write ${{NAME}} or ${{NAME:-default}}"
                    ", and $${{ for a plain ${{",
                    reference));
  }
  const auto value = environment(name);
  if (separator != std::string_view::npos) {
    return value && !value->empty() ? *value : std::string(reference.substr(separator + 2));
  }
  if (!value) {
    throw UsageError(
        fmt::format("the environment has no {0}; set it, or write ${{{0}:-default}} here", name));
  }
  return *value;
}

// Levenshtein's distance by Wagner and Fischer's algorithm, one row at a time.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  const auto milliseconds = ParseQuantity(text, kDurationUnits);
  if (!milliseconds) return std::nullopt;
  return std::chrono::milliseconds(*milliseconds);
}

std::string DurationText(std::chrono::milliseconds duration) {
  return QuantityText(duration.count(), kDurationUnits, "s");
}

std::optional<std::size_t> ParseSize(std::string_view text) {
  const auto bytes = ParseQuantity(text, kSizeUnits);
  if (!bytes) return std::nullopt;
  return static_cast<std::size_t>(*bytes);
}

std::string SizeText(std::size_t bytes) {
  return QuantityText(static_cast<std::int64_t>(bytes), kSizeUnits, "B");
}

std::optional<HostAndPort> ParseHostAndPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find_first_of(":[]") != std::string_view::npos) return std::nullopt;
  std::uint16_t port = 0;
  const auto* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data() + colon + 1, last, port);
  if (error != std::errc{} || end != last) return std::nullopt;
  return HostAndPort{std::string(host), port};
}

bool IsTokenName(std::string_view text) {
  constexpr std::size_t kBytesMax = 64;
  constexpr std::string_view kTaken =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= kBytesMax &&
         text.find_first_not_of(kTaken) == std::string_view::npos;
}

std::string Expand(std::string_view text, const Environment& environment) {
  std::string expanded;
  while (true) {
    const auto open = text.find("${");
    if (open == std::string_view::npos) return expanded += text;
    if (open > 0 && text[open - 1] == '$') {
      expanded += text.substr(0, open - 1);
      expanded += "${";
      text.remove_prefix(open + 2);
      continue;
    }
    expanded += text.substr(0, open);
    text.remove_prefix(open + 2);
    const auto close = text.find('}');
    if (close == std::string_view::npos) {
      throw UsageError("a ${ has no }; write ${NAME}, and $${ for a plain ${");
    }
    expanded += ValueOf(text.substr(0, close), environment);
    text.remove_prefix(close + 1);
  }
}

std::string Unexpanded(std::string_view text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "${") escaped += '$';
    escaped += text[i];
  }
  return escaped;
}

std::string_view Nearest(std::string_view word, std::span<const std::string> known) {
  std::string_view nearest;
  // More than a third of the word wrong is another word.
  std::size_t distance_max = std::max<std::size_t>(1, word.size() / 3);
  for (const std::string& candidate : known) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance > distance_max || (distance == distance_max && !nearest.empty())) continue;
    nearest = candidate;
    distance_max = distance;
  }
  return nearest;
}

}  // namespace iq
