// Where contenders run: the servers, with tables and queues as good as new for each run.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/contender.h"
#include "bench/load.h"
#include "host/journal_search.h"
#include "tests/e2e/profile.h"
#include "tests/support/process.h"

namespace iq::bench {

using Clock = std::chrono::steady_clock;

// Of a process, in MiB.
struct Memory {
  double resident = 0;
  double own = 0;  // Without what files back: code of the program and of libraries, above all.
};

struct Measured {
  std::int64_t commands = 0;
  double rate = 0;         // Commands a second, without the first fifth of them.
  double cpu_us = 0;       // Of the contender's processes for each of those commands.
  double first_tenth = 0;  // Commands a second.
  double last_tenth = 0;
  double delivery_s = 0;  // From the start of the process to the first delivery.
  double event_s = 0;     // From the start of the process to the first event.
  Memory memory_after{};  // Of one of its processes, after the load.
};

// Throws std::runtime_error where a contender does not do its work, or not rightly: it is
// disqualified.
class Arena {
 public:
  // Clears what earlier runs have left, migrates, and has iq declare its queues.
  explicit Arena(test::ProfileName profile);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  // Of an iq process that has nothing to do.
  Memory IdleMemory();

  // So many rows of other commands, of the last days: one in a hundred of a hot user, the others of
  // ten thousand; one in a hundred thousand was rejected.
  void FillJournal(std::int64_t rows);

  // How many rows the first page of this search has.
  std::size_t Search(const JournalSearch& search) const;

  // The queue is full of the load when the contender starts. Tables and events are checked at the
  // end.
  Measured Drain(const Contender& contender, const Load& load);

  // Milliseconds from publishing a command to receiving its event, sorted, at `rate` commands a
  // second for `seconds`, with nothing else going on.
  std::vector<double> Latencies(const Contender& contender, const Load& load, int rate);

 private:
  using Processes = std::vector<std::unique_ptr<test::Process>>;

  test::ProcessOptions Options() const;
  Processes Start(const Contender& contender) const;
  static void Stop(const Processes& processes);
  void DeclareQueues();
  void Fill(const Load& load);
  Measured Measure(const Contender& contender, const Load& load);
  std::vector<double> MeasureLatencies(const Contender& contender, const Load& load, int rate);
  // With what the contender said last, before its log is gone.
  [[noreturn]] void Disqualify(const Contender& contender, const std::exception& why) const;
  void Check(const Load& load);
  void CheckEvents(const Load& load, std::size_t events);
  std::size_t EventCount() { return broker_->Depth(event_queue_); }
  void AwaitConsumer();

  std::string directory_;
  std::unique_ptr<test::Profile> profile_;
  std::unique_ptr<test::TestBroker> broker_;
  std::unique_ptr<test::TestStore> store_;
  std::string event_queue_;
};

}  // namespace iq::bench
