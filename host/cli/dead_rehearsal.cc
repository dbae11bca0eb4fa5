// iq dead retry --dry-run: what would be retried, and where it would go.
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "host/cli/dead.h"
#include "host/cli/dead_report.h"
#include "host/cli/progress.h"
#include "host/cli/table.h"
#include "host/dead/dead_act.h"
#include "host/dead/dead_groups.h"

namespace iq::cli {
namespace {

std::string RehearsedJson(const DeadLetter& letter, const std::string& queue) {
  return RecordJson({{"id", letter.name},
                     {"type", letter.type},
                     {"code", letter.code},
                     {"plugin", letter.plugin},
                     {"queue", queue},
                     {"dryRun", true}});
}

}  // namespace

int RehearseRetry(const Config& config, const DeadSelection& selection, bool json) {
  const auto broker = OpenBroker(config.broker.url, "iq dead retry");
  DeadAct retry(config, *broker, DeadAct::Kind::kRetry, selection, /*dry_run=*/true);
  DeadGroups groups;
  std::string rows;
  Progress progress("looked at", retry.progress().size);
  retry.Run({.stop = {},
             .on_progress = [&](const DeadAct::Progress& now) { progress.Show(now.looked); },
             .on_acted =
                 [&](const DeadLetter& letter, const RetriedLetter& retried) {
                   groups.Add(letter);
                   if (json) rows += RehearsedJson(letter, retried.queue);
                 }});
  progress.Hide();
  Print(json ? rows : GroupsTable(groups).Text());
  if (!json) {
    fmt::print(stderr, "{} of {} would be retried; nothing was changed\n", groups.letters(),
               retry.progress().size);
  }
  return ReportChoice(retry.choice(), config.dead_letter.queue);
}

}  // namespace iq::cli
