// Carries out commands whose locks are held: together in one transaction where all goes well, each
// in its own where anything does not. Either way the result is as if each had run alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/bus.h"
#include "host/command.h"
#include "host/journal.h"
#include "host/locks/locks.h"
#include "host/outcome.h"
#include "host/store/store.h"
#include "host/trace/interval.h"

namespace iq {

// A command that was decided before it could be: a lease of the batch is no longer ours. Nothing of
// the open transaction took effect; the undecided commands want their locks anew.
class LeaseLost : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A command and, once it is final for this run, what became of it.
struct Item {
  std::unique_ptr<Command> command;
  std::optional<Verdict> verdict;
  std::int64_t batch = 0;  // The transaction that recorded it; 0 when none of this worker did.
  bool repeat = false;     // The journal knew the command: the verdict is its first one.
  std::string plugin;      // "name/version".
  std::chrono::steady_clock::time_point received_at{};
  Interval ran{};        // The handler's last call.
  Interval committed{};  // The commit of `batch`.
};

// Not thread-safe: one per worker.
class Batch {
 public:
  // `commit_margin`: with less than this left of a lease, it is renewed before the commit.
  Batch(Bus& bus, Session& session, Journal& journal, Locks& locks, WorkerIdentity& worker,
        bool takes_arrays, std::chrono::milliseconds commit_margin);

  // Gives each item its verdict, at least the first; those for which there is no time within ten
  // seconds, or twenty where they must run one by one, keep none. The last handler's own time and
  // the commit come on top. What it throws (Unavailable, CommitUnknown, LeaseLost) leaves those
  // undecided that have none; verdicts already given stand.
  void Run(std::span<Item* const> items);

  // Indices into `items` in the order in which they run: the commands of a group are of one
  // handler, and share no key unless its batch entry takes that. Of two commands that share one,
  // the earlier comes first. The first group has the first item.
  static std::vector<std::vector<std::size_t>> Groups(std::span<Item* const> items);

 private:
  using Clock = std::chrono::steady_clock;

  bool RunTogether(std::span<Item* const> items);
  bool RunGroup(std::span<Item* const> items, const std::vector<std::size_t>& group,
                std::vector<std::optional<Handled>>& handled);
  bool RunAtOnce(std::span<Item* const> items, const std::vector<std::size_t>& group,
                 std::vector<std::optional<Handled>>& handled);
  bool TurnIsOver(const std::vector<std::optional<Handled>>& handled) const;
  void RunAlone(Item& item);
  bool TryAlone(Item& item);
  void JudgeUnrecorded(Item& item, Verdict verdict);
  bool RecallRepeat(Item& item);
  void Commit(std::span<Item* const> items, std::span<Verdict* const> verdicts);
  void CheckLeases();

  Bus& bus_;
  Session& session_;
  Journal& journal_;
  Locks& locks_;
  WorkerIdentity& worker_;
  bool takes_arrays_;
  std::chrono::milliseconds commit_margin_;
  std::minstd_rand random_;
  Clock::time_point turn_ends_{};
};

}  // namespace iq
