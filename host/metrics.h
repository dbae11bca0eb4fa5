// What this process counts and times, for Prometheus. docs/metrics.md tells its readers what each
// name means; what can be looked up when somebody asks is in host/admin/scrape.
//
// One of each for the process, as with the log: whoever does the work counts it.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace iq {

// Thread-safe. Labels are bounded by what the plugins serve: a type that none of them has is "".
class Metrics {
 public:
  using Duration = std::chrono::steady_clock::duration;

  static Metrics& OfThisProcess();

  // A command's outcome, once for each time it was carried out. `done` and `rejected`: exactly the
  // rows that this process has put into the journal, but for those of a commit without an answer.
  void CountCommand(std::string_view type, std::string_view outcome);
  // A command that the journal knew: its first outcome was sent again.
  void CountRepeat(const std::string& type);
  void CountWithoutId();
  void CountRetry(const std::string& type, const std::string& code);
  void CountDeadLetter(const std::string& type, const std::string& code);

  enum class Entry { kOne, kBatch };
  void ObserveHandler(const std::string& type, Entry entry, Duration took);
  void ObserveBatch(std::size_t commands);
  void ObserveLockWait(Duration waited);
  void ObserveCommit(Duration took);
  // From the publishing of all that a command sends out to the broker's last confirm of it.
  void ObserveConfirm(Duration took);
  // From the receipt of a delivery to the moment from which it may be acked.
  void ObserveCommand(Duration took);

  void CountSwept(std::size_t events);
  void CountPruned(std::size_t rows);
  void CountPluginCrash(const std::string& plugin);
  void CountSpansDropped(std::size_t spans);

  std::vector<prometheus::MetricFamily> Collect() const { return registry_.Collect(); }

 private:
  using Counters = prometheus::Family<prometheus::Counter>;
  using Histograms = prometheus::Family<prometheus::Histogram>;

  Metrics();
  Counters& Count(const char* name, const char* help);
  Histograms& Time(const char* name, const char* help);

  prometheus::Registry registry_;
  Counters& commands_;
  Counters& repeats_;
  prometheus::Counter& without_id_;
  Counters& retries_;
  Counters& dead_letters_;
  Histograms& handler_;
  prometheus::Histogram& batch_;
  prometheus::Histogram& lock_wait_;
  prometheus::Histogram& commit_;
  prometheus::Histogram& confirm_;
  prometheus::Histogram& command_;
  prometheus::Counter& swept_workers_;
  prometheus::Counter& swept_events_;
  prometheus::Counter& pruned_;
  Counters& crashes_;
  prometheus::Counter& spans_dropped_;
};

}  // namespace iq
