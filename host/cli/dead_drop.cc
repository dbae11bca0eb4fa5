#include <fmt/format.h>

#include "host/cli/dead.h"
#include "host/cli/dead_batch.h"
#include "host/cli/dead_walk.h"
#include "host/cli/progress.h"
#include "host/cli/stop_request.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

void PrintDropped(const DeadLetter& letter, bool json) {
  Print(json ? RecordJson({{"id", letter.name},
                           {"type", letter.type},
                           {"code", letter.code},
                           {"dropped", true}})
             : fmt::format("{} dropped ({})\n", OneLine(letter.name), OneLine(letter.code)));
}

}  // namespace

int DropDead(const Config& config, const DeadSelection& selection, bool json) {
  const StopRequest stop;
  const auto broker = OpenBroker(config.broker.url, "iq dead drop");
  DeadWalk walk(*broker, config);
  DeadChoice choice(selection);
  DeadBatch batch;
  Progress progress("looked at", walk.size());
  const auto drop = [&] {
    walk.Remove(batch.letters());
    progress.Hide();
    for (const DeadLetter& letter : batch.letters()) PrintDropped(letter, json);
    batch.Clear();
  };
  std::uint64_t passed = 0;
  while (auto letter = walk.Next()) {
    if (stop.Came()) {
      fmt::print(stderr, "iq: stopped after {} of {}; what is not named is still in {}\n", passed,
                 walk.size(), config.dead_letter.queue);
      return kFailed;
    }
    progress.Show(++passed);
    if (choice.Takes(*letter)) batch.Add(std::move(*letter));
    if (batch.full()) drop();
  }
  if (!batch.empty()) drop();
  return choice.Report(config.dead_letter.queue);
}

}  // namespace iq::cli
