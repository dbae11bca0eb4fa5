#include <fmt/format.h>

#include <cstdio>

#include "host/cli/dead.h"
#include "host/cli/dead_walk.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {

int ListDead(const Config& config, std::uint64_t limit, bool json) {
  const auto broker = OpenBroker(config.broker.url, "iq dead list");
  DeadWalk walk(*broker, config);
  Table table({"id", "type", "code", "outcome", "attempts", "at", "reason"});
  std::uint64_t listed = 0;
  while (limit == 0 || listed < limit) {
    auto letter = walk.Next();
    if (!letter) break;
    ++listed;
    table.Add({std::move(letter->name), std::move(letter->type), std::move(letter->code),
               std::move(letter->outcome), letter->attempts, std::move(letter->at),
               std::move(letter->reason)});
  }
  Print(json ? table.JsonLines() : table.Text());
  if (json) return kDone;
  if (listed == 0) fmt::print(stderr, "{} is empty\n", config.dead_letter.queue);
  if (listed < walk.size()) fmt::print(stderr, "{} of {} shown\n", listed, walk.size());
  return kDone;
}

}  // namespace iq::cli
