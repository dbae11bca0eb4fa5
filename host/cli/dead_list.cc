#include <fmt/format.h>

#include <cstdio>

#include "host/cli/dead.h"
#include "host/cli/dead_report.h"
#include "host/cli/progress.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/dead/dead_groups.h"
#include "host/dead/dead_walk.h"

namespace iq::cli {
namespace {

// Calls `take` with each letter that the filter takes, until `take` says that it wants no more.
// Returns how many there are in all.
template <typename Take>
std::uint64_t ForEachDead(const Config& config, const DeadFilter& filter, Take take) {
  const auto broker = OpenBroker(config.broker.url, "iq dead list");
  DeadWalk walk(*broker, config);
  std::uint64_t passed = 0;
  Progress progress("looked at", walk.size());
  while (auto letter = walk.Next()) {
    progress.Show(++passed);
    if (filter.Takes(*letter) && !take(std::move(*letter))) break;
  }
  return walk.size();
}

int PrintRows(const Config& config, const Table& table, std::uint64_t shown, std::uint64_t total,
              bool json) {
  Print(json ? table.JsonLines() : table.Text());
  if (json) return kDone;
  if (total == 0) fmt::print(stderr, "{} is empty\n", config.dead_letter.queue);
  if (shown < total) fmt::print(stderr, "{} of {} shown\n", shown, total);
  return kDone;
}

}  // namespace

int ListDead(const Config& config, const DeadFilter& filter, std::uint64_t limit, bool json) {
  Table table({"id", "type", "code", "outcome", "attempts", "at", "reason"});
  std::uint64_t listed = 0;
  const std::uint64_t total = ForEachDead(config, filter, [&](DeadLetter letter) {
    table.Add({std::move(letter.name), std::move(letter.type), std::move(letter.code),
               std::move(letter.outcome), letter.attempts, std::move(letter.at),
               std::move(letter.reason)});
    return ++listed != limit;
  });
  return PrintRows(config, table, listed, total, json);
}

int ListDeadGroups(const Config& config, const DeadFilter& filter, bool json) {
  DeadGroups groups;
  const std::uint64_t total = ForEachDead(config, filter, [&](const DeadLetter& letter) {
    groups.Add(letter);
    return true;
  });
  return PrintRows(config, GroupsTable(groups), static_cast<std::uint64_t>(groups.letters()), total,
                   json);
}

}  // namespace iq::cli
