// iq dead retry --dry-run: what would be retried, and where it would go.
#include <fmt/format.h>

#include <cstdio>

#include "host/cli/dead.h"
#include "host/cli/dead_groups.h"
#include "host/cli/dead_targets.h"
#include "host/cli/dead_walk.h"
#include "host/cli/progress.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {

int RehearseRetry(const Config& config, const DeadSelection& selection, bool json) {
  const auto broker = OpenBroker(config.broker.url, "iq dead retry");
  DeadWalk walk(*broker, config);
  DeadChoice choice(selection);
  DeadTargets targets(config, *broker);
  DeadGroups groups;
  std::string rows;
  std::uint64_t passed = 0;
  Progress progress("looked at", walk.size());
  while (const auto letter = walk.Next()) {
    progress.Show(++passed);
    if (!choice.Takes(*letter)) continue;
    const std::string& queue = targets.Of(*letter);
    groups.Add(*letter);
    if (!json) continue;
    rows += RecordJson({{"id", letter->name},
                        {"type", letter->type},
                        {"code", letter->code},
                        {"plugin", letter->plugin},
                        {"queue", queue},
                        {"dryRun", true}});
  }
  progress.Hide();
  Print(json ? rows : groups.AsTable().Text());
  if (!json) {
    fmt::print(stderr, "{} of {} would be retried; nothing was changed\n", groups.letters(),
               walk.size());
  }
  return choice.Report(config.dead_letter.queue);
}

}  // namespace iq::cli
