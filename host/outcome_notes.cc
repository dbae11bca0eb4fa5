#include "host/outcome_notes.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "host/bus.h"
#include "host/metrics.h"
#include "host/outcome.h"
#include "host/plugin.h"

namespace iq {
namespace {

// What metrics call an event that was not for its listener.
constexpr std::string_view kSkipped = "skipped";

// What the journal or a lock decided says nothing of the plugin.
void CountAtPlugin(const Item& item, bool lock_was_taken) {
  const Command& command = *item.command;
  const Verdict& verdict = *item.verdict;
  if (command.seat == nullptr) return;
  const Plugin& plugin = command.seat->plugin();
  const bool ran = item.batch != 0 || verdict.outcome == Outcome::kFailed;
  if (ran) plugin.trial().Note(command.uuid, verdict);
  const bool retried = verdict.outcome == Outcome::kRetry && !lock_was_taken;
  if (ran || retried) plugin.counts().Note(verdict.outcome);
}

// "done" and "rejected" are counted for what has a row of this process in the journal, and for
// nothing else.
void CountInMetrics(const Item& item) {
  const Verdict& verdict = *item.verdict;
  const std::string label = Bus::MetricLabel(*item.command);
  const bool recordable =
      verdict.outcome == Outcome::kDone || verdict.outcome == Outcome::kRejected;
  if (recordable && item.repeat) {
    Metrics::OfThisProcess().CountRepeat(label);
  } else if (recordable && item.batch == 0) {
    // Turned away from a taken lock, or an event that was not for its listener.
    Metrics::OfThisProcess().CountCommand(
        label, verdict.code.empty() ? kSkipped : std::string_view(verdict.code));
  } else {
    Metrics::OfThisProcess().CountCommand(label, OutcomeName(verdict.outcome));
  }
}

}  // namespace

log::About About(const Item& item) {
  const Command& command = *item.command;
  return {command.id, command.type, item.plugin, command.trace.trace_id};
}

void LogOutcome(const Item& item) {
  const Verdict& verdict = *item.verdict;
  if (verdict.outcome == Outcome::kDone) return;
  const Command& command = *item.command;
  const bool refused =
      verdict.outcome == Outcome::kRejected || verdict.outcome == Outcome::kInvalid;
  log::Write(verdict.outcome == Outcome::kFailed ? log::Level::kError : log::Level::kInfo,
             fmt::format("{} ({}){}{}; attempt {} of {}", OutcomeName(verdict.outcome),
                         verdict.code, refused ? "" : ": ", refused ? "" : verdict.reason,
                         command.attempt, command.attempts_max),
             About(item));
}

void CountOutcome(const Item& item, bool lock_was_taken) {
  CountAtPlugin(item, lock_was_taken);
  CountInMetrics(item);
}

}  // namespace iq
