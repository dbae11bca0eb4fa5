#include "host/metrics.h"

#include <functional>
#include <map>

namespace iq {
namespace {

// From a round trip on one machine to a handler's default deadline.
const prometheus::Histogram::BucketBoundaries kSeconds{
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
const prometheus::Histogram::BucketBoundaries kCommands{1, 2, 4, 8, 16, 32, 64, 128, 256, 512};

double Seconds(Metrics::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Metrics& Metrics::OfThisProcess() {
  static Metrics metrics;
  return metrics;
}

Metrics::Counters& Metrics::Count(const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
}

Metrics::Histograms& Metrics::Time(const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
}

Metrics::Metrics()
    : commands_(Count("iq_commands_total", "Commands carried out, by type and outcome.")),
      repeats_(Count("iq_commands_repeated_total",
                     "Commands that the journal knew already: nothing took effect again.")),
      without_id_(Count("iq_commands_without_id_total",
                        "Commands without an id, whose copies cannot be told from them.")
                      .Add({})),
      retries_(Count("iq_retries_total", "Commands put off to a delay queue, by cause.")),
      dead_letters_(Count("iq_dead_letters_total", "Copies put into the dead-letter queue.")),
      handler_(Time("iq_handler_seconds", "How long calls of handlers took, with their SQL.")),
      batch_(prometheus::BuildHistogram()
                 .Name("iq_batch_commands")
                 .Help("Commands in one transaction.")
                 .Register(registry_)
                 .Add({}, kCommands)),
      lock_wait_(Time("iq_lock_wait_seconds", "How long commands waited for a taken lock.")
                     .Add({}, kSeconds)),
      commit_(Time("iq_commit_seconds", "How long commits took.").Add({}, kSeconds)),
      confirm_(Time("iq_confirm_seconds",
                    "From the publishing of what a command sends out to the broker's last confirm.")
                   .Add({}, kSeconds)),
      command_(Time("iq_command_seconds",
                    "From the receipt of a command to everything of it being settled.")
                   .Add({}, kSeconds)),
      swept_workers_(Count("iq_swept_workers_total",
                           "Workers that fell silent and whose events were looked after.")
                         .Add({})),
      swept_events_(Count("iq_swept_events_total",
                          "Events published again because a worker had left them unconfirmed.")
                        .Add({})),
      pruned_(Count("iq_journal_pruned_rows_total", "Journal rows removed after journal.keep.")
                  .Add({})),
      crashes_(Count("iq_plugin_crashes_total",
                     "Processes that died in a plugin, as this process found out.")),
      spans_dropped_(Count("iq_spans_dropped_total",
                           "Spans that did not get to their collector: it was away for too long, "
                           "or refused them.")
                         .Add({})) {}

// Every command comes here: each thread keeps what it has looked up, which costs a microsecond.
void Metrics::CountCommand(std::string_view type, std::string_view outcome) {
  using ByOutcome = std::map<std::string, prometheus::Counter*, std::less<>>;
  thread_local std::map<std::string, ByOutcome, std::less<>> known;
  auto of_type = known.find(type);
  if (of_type == known.end()) of_type = known.emplace(type, ByOutcome{}).first;
  auto counter = of_type->second.find(outcome);
  if (counter == of_type->second.end()) {
    prometheus::Counter& added =
        commands_.Add({{"type", std::string(type)}, {"outcome", std::string(outcome)}});
    counter = of_type->second.emplace(outcome, &added).first;
  }
  counter->second->Increment();
}

void Metrics::CountRepeat(const std::string& type) { repeats_.Add({{"type", type}}).Increment(); }

void Metrics::CountWithoutId() { without_id_.Increment(); }

void Metrics::CountRetry(const std::string& type, const std::string& code) {
  retries_.Add({{"type", type}, {"code", code}}).Increment();
}

void Metrics::CountDeadLetter(const std::string& type, const std::string& code) {
  dead_letters_.Add({{"type", type}, {"code", code}}).Increment();
}

void Metrics::ObserveHandler(const std::string& type, Entry entry, Duration took) {
  const char* const name = entry == Entry::kOne ? "one" : "batch";
  handler_.Add({{"type", type}, {"entry", name}}, kSeconds).Observe(Seconds(took));
}

void Metrics::ObserveBatch(std::size_t commands) { batch_.Observe(static_cast<double>(commands)); }
void Metrics::ObserveLockWait(Duration waited) { lock_wait_.Observe(Seconds(waited)); }
void Metrics::ObserveCommit(Duration took) { commit_.Observe(Seconds(took)); }
void Metrics::ObserveConfirm(Duration took) { confirm_.Observe(Seconds(took)); }
void Metrics::ObserveCommand(Duration took) { command_.Observe(Seconds(took)); }

void Metrics::CountSwept(std::size_t events) {
  swept_workers_.Increment();
  swept_events_.Increment(static_cast<double>(events));
}

void Metrics::CountPruned(std::size_t rows) { pruned_.Increment(static_cast<double>(rows)); }

void Metrics::CountPluginCrash(const std::string& plugin) {
  crashes_.Add({{"plugin", plugin}}).Increment();
}

void Metrics::CountSpansDropped(std::size_t spans) {
  spans_dropped_.Increment(static_cast<double>(spans));
}

}  // namespace iq
