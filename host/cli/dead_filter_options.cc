#include "host/cli/dead_filter_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "host/base/error.h"
#include "host/base/rfc3339.h"
#include "host/base/terminal_text.h"
#include "host/config_text.h"

namespace iq::cli {
namespace {

void RefuseEmpty(std::string_view option, const std::vector<std::string>& words) {
  if (std::find(words.begin(), words.end(), "") == words.end()) return;
  throw UsageError(
      fmt::format("dead: {}: empty; `iq dead list --group` shows which there are", option));
}

std::optional<DeadFilter::Time> ReadTime(std::string_view option,
                                         const std::optional<std::string>& text,
                                         DeadFilter::Time now) {
  // Longer ago than anything, and not longer than can be told.
  constexpr std::chrono::milliseconds kAgoMax = std::chrono::years{1000};
  if (!text) return std::nullopt;
  if (const auto time = ParseRfc3339(*text)) return *time;
  if (const auto ago = ParseDuration(*text)) return now - std::min(*ago, kAgoMax);
  throw UsageError(
      fmt::format("dead: {}: \"{}\" is neither a time such as 2024-01-31T12:00:00Z nor a duration "
                  "ago such as 30m, 2h or 7d",
                  option, OneLine(*text)));
}

}  // namespace

void DeadFilterOptions::AddTo(CLI::App& verb) {
  verb.add_option("--code", codes_, "Only those with this code; may be repeated")
      ->allow_extra_args(false);
  verb.add_option("--type", types_, "Only those of this type; may be repeated")
      ->allow_extra_args(false);
  verb.add_option("--since", since_,
                  "Only those that died at this time (2024-01-31T12:00:00Z) or later, or since so "
                  "long ago (30m, 2h, 7d)");
  verb.add_option("--until", until_, "Only those that died before this time, written likewise");
}

DeadFilter DeadFilterOptions::Read(DeadFilter::Time now) const {
  RefuseEmpty("--code", codes_);
  RefuseEmpty("--type", types_);
  DeadFilter filter{.codes = codes_,
                    .types = types_,
                    .since = ReadTime("--since", since_, now),
                    .until = ReadTime("--until", until_, now)};
  if (filter.since && filter.until && *filter.since >= *filter.until) {
    throw UsageError("dead: --since is not before --until, so that no letter is meant");
  }
  return filter;
}

DeadFilter DeadFilterOptions::Read() const {
  return Read(std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()));
}

}  // namespace iq::cli
