#include <fmt/format.h>

#include <cstdio>

#include "host/cli/dead.h"
#include "host/cli/dead_report.h"
#include "host/cli/progress.h"
#include "host/cli/stop_request.h"
#include "host/cli/verbs.h"
#include "host/dead/dead_act.h"

namespace iq::cli {

int RetryDead(const Config& config, const DeadSelection& selection, bool json) {
  const StopRequest stop;
  const auto broker = OpenBroker(config.broker.url, "iq dead retry");
  DeadAct retry(config, *broker, DeadAct::Kind::kRetry, selection);
  Progress progress("looked at", retry.progress().size);
  const bool ended =
      retry.Run({.stop = [&] { return stop.Came(); },
                 .on_progress = [&](const DeadAct::Progress& now) { progress.Show(now.looked); },
                 .on_acted =
                     [&](const DeadLetter& /*letter*/, const RetriedLetter& retried) {
                       progress.Hide();
                       PrintRetried(retried, json);
                     }});
  progress.Hide();
  if (ended) return ReportChoice(retry.choice(), config.dead_letter.queue);
  fmt::print(stderr, "iq: stopped after {} of {}; what it has not come to is still in {}\n",
             retry.progress().acted, retry.progress().size, config.dead_letter.queue);
  return kFailed;
}

}  // namespace iq::cli
