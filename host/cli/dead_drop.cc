#include <fmt/format.h>

#include <cstdio>

#include "host/cli/dead.h"
#include "host/cli/dead_report.h"
#include "host/cli/progress.h"
#include "host/cli/stop_request.h"
#include "host/cli/verbs.h"
#include "host/dead/dead_act.h"

namespace iq::cli {

int DropDead(const Config& config, const DeadSelection& selection, bool json) {
  const StopRequest stop;
  const auto broker = OpenBroker(config.broker.url, "iq dead drop");
  DeadAct drop(config, *broker, DeadAct::Kind::kDrop, selection);
  Progress progress("looked at", drop.progress().size);
  const bool ended =
      drop.Run({.stop = [&] { return stop.Came(); },
                .on_progress = [&](const DeadAct::Progress& now) { progress.Show(now.looked); },
                .on_acted =
                    [&](const DeadLetter& letter, const RetriedLetter& /*retried*/) {
                      progress.Hide();
                      PrintDropped(letter, json);
                    }});
  progress.Hide();
  if (ended) return ReportChoice(drop.choice(), config.dead_letter.queue);
  fmt::print(stderr, "iq: stopped after {} of {}; what is not named is still in {}\n",
             drop.progress().looked, drop.progress().size, config.dead_letter.queue);
  return kFailed;
}

}  // namespace iq::cli
