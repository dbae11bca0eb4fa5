#include <fmt/format.h>

#include "host/cli/dead.h"
#include "host/cli/dead_walk.h"
#include "host/cli/progress.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {

int DropDead(const Config& config, const DeadSelection& selection, bool json) {
  const auto broker = OpenBroker(config.broker.url, "iq dead drop");
  DeadWalk walk(*broker, config);
  DeadChoice choice(selection);
  std::uint64_t passed = 0;
  Progress progress("looked at", walk.size());
  while (const auto letter = walk.Next()) {
    progress.Show(++passed);
    if (!choice.Takes(*letter)) continue;
    walk.Remove(*letter);
    Print(json ? RecordJson({{"id", letter->name},
                             {"type", letter->type},
                             {"code", letter->code},
                             {"dropped", true}})
               : fmt::format("{} dropped ({})\n", OneLine(letter->name), OneLine(letter->code)));
  }
  return choice.Report(config.dead_letter.queue);
}

}  // namespace iq::cli
