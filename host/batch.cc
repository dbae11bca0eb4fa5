#include "host/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "host/metrics.h"

namespace iq {
namespace {

// How often a command that met a conflict is run again at once, before it goes to a delay queue.
constexpr int kConflictTriesMax = 3;
constexpr int kConflictPauseMaxMs = 20;
// The commands of a batch for which this is over wait for their next turn: the connections to the
// broker must be looked after meanwhile, or it takes the worker for dead.
constexpr std::chrono::seconds kTurnMax{10};

// Ends the transaction unless it was committed, whatever way the scope is left.
class TransactionScope {
 public:
  explicit TransactionScope(Session& session) : session_(session) { session_.Begin(); }
  TransactionScope(const TransactionScope&) = delete;
  TransactionScope& operator=(const TransactionScope&) = delete;
  ~TransactionScope() {
    if (!ended_) session_.Rollback();
  }
  void Ended() { ended_ = true; }

 private:
  Session& session_;
  bool ended_ = false;
};

// Which commands of a batch may run now: those that no undone earlier one shares a key with, but
// for one of the same handler whose batch entry takes both.
class ReadyCommands {
 public:
  explicit ReadyCommands(std::span<Item* const> items)
      : items_(items), seats_(items.size()), followers_(items.size()), awaited_(items.size()) {
    std::map<std::string_view, std::size_t> last_with;  // By key.
    std::map<const Seat*, std::size_t> number_of;       // In order of first arrival.
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Command& command = *items[i]->command;
      for (const std::string& key : command.keys) {
        const auto [last, is_first] = last_with.try_emplace(key, i);
        if (is_first) continue;
        followers_[std::exchange(last->second, i)].push_back(i);
        ++awaited_[i];
      }
      seats_[i] = number_of.try_emplace(command.seat.get(), number_of.size()).first->second;
    }
    MeasureChains();
    by_seat_.resize(number_of.size());
    for (std::size_t i = 0; i < items.size(); ++i) NoteIfReady(i);
  }

  // All of the seat of the first command, which nothing can be ahead of.
  std::vector<std::size_t> TakeWithFirst() { return Take(by_seat_.front()); }

  // All of the seat with the longest chain; of those alike, of that with the most
  // ready ones. None at the end.
  std::vector<std::size_t> TakeNext() {
    const auto next = std::max_element(by_seat_.begin(), by_seat_.end(),
                                       [this](const auto& one, const auto& other) {
                                         return std::pair(LongestChain(one), one.size()) <
                                                std::pair(LongestChain(other), other.size());
                                       });
    return Take(*next);
  }

 private:
  std::vector<std::size_t> Take(std::vector<std::size_t>& ready) {
    std::vector<std::size_t> taken = std::exchange(ready, {});
    for (std::size_t i = 0; i < taken.size(); ++i) {
      for (const std::size_t follower : followers_[taken[i]]) {
        --awaited_[follower];
        if (awaited_[follower] == 0 && ShareAGroup(taken[i], follower)) {
          taken.push_back(follower);
        } else {
          NoteIfReady(follower);
        }
      }
    }
    std::sort(taken.begin(), taken.end());
    return taken;
  }

  // Whether two that have a key in common may be in one group.
  bool ShareAGroup(std::size_t earlier, std::size_t later) const {
    return seats_[earlier] == seats_[later] && items_[later]->command->seat->batch_shares_keys();
  }

  void MeasureChains() {
    chains_.resize(followers_.size(), 1);
    for (std::size_t i = followers_.size(); i-- > 0;) {
      for (const std::size_t each : followers_[i]) {
        chains_[i] = std::max(chains_[i], chains_[each] + (ShareAGroup(i, each) ? 0 : 1));
      }
    }
  }

  std::size_t LongestChain(const std::vector<std::size_t>& commands) const {
    std::size_t longest = 0;
    for (const std::size_t each : commands) longest = std::max(longest, chains_[each]);
    return longest;
  }

  void NoteIfReady(std::size_t index) {
    if (awaited_[index] == 0) by_seat_[seats_[index]].push_back(index);
  }

  std::span<Item* const> items_;
  // By command: its seat's number, the next one with each of its keys, how many undone ones it
  // waits for, and how many groups at least come one after the other from it on.
  std::vector<std::size_t> seats_;
  std::vector<std::vector<std::size_t>> followers_;
  std::vector<std::size_t> awaited_;
  std::vector<std::size_t> chains_;
  std::vector<std::vector<std::size_t>> by_seat_;  // The ready ones.
};

// May stay in a transaction that others share: it has left no trace there but what it meant to.
bool MayShare(const Handled& handled) {
  return handled.verdict.outcome == Outcome::kDone ||
         (handled.verdict.outcome == Outcome::kRejected && !handled.wrote);
}

}  // namespace

Batch::Batch(Bus& bus, Session& session, Journal& journal, Locks& locks, WorkerIdentity& worker,
             bool takes_arrays, std::chrono::milliseconds commit_margin)
    : bus_(bus),
      session_(session),
      journal_(journal),
      locks_(locks),
      worker_(worker),
      takes_arrays_(takes_arrays),
      commit_margin_(commit_margin),
      random_(std::random_device{}()) {}

void Batch::Run(std::span<Item* const> items) {
  turn_ends_ = Clock::now() + kTurnMax;
  if (items.size() > 1 && RunTogether(items)) return;
  turn_ends_ = Clock::now() + kTurnMax;
  for (Item* item : items) {
    if (item != items.front() && Clock::now() >= turn_ends_) return;
    RunAlone(*item);
  }
}

// In few groups, for each costs round trips: list scheduling that goes on where the longest chain
// waits (T. C. Hu, "Parallel sequencing and assembly line problems", 1961). The oldest command is
// in the first one: however much stands behind others, a turn that is cut short has decided it.
std::vector<std::vector<std::size_t>> Batch::Groups(std::span<Item* const> items) {
  if (items.empty()) return {};
  ReadyCommands ready(items);
  std::vector<std::vector<std::size_t>> groups{ready.TakeWithFirst()};
  for (auto group = ready.TakeNext(); !group.empty(); group = ready.TakeNext()) {
    groups.push_back(std::move(group));
  }
  return groups;
}

// True when those were decided for which there was time. False leaves nothing behind: each must run
// alone.
bool Batch::RunTogether(std::span<Item* const> items) {
  try {
    std::vector<std::optional<Handled>> handled(items.size());
    TransactionScope transaction(session_);
    for (const auto& group : Groups(items)) {
      CheckLeases();
      if (TurnIsOver(handled)) break;
      if (!RunGroup(items, group, handled)) return false;
    }
    std::vector<Item*> decided;
    std::vector<Verdict*> verdicts;
    decided.reserve(items.size());
    verdicts.reserve(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!handled[i]) continue;
      items[i]->ran = handled[i]->ran;
      decided.push_back(items[i]);
      verdicts.push_back(&handled[i]->verdict);
    }
    Commit(decided, verdicts);
    transaction.Ended();
    return true;
  } catch (const StoreError&) {
    return false;
  }
}

// False as soon as a command may not stay in the shared transaction. When the turn is over, what
// was not handled keeps nothing: of two commands with a common key, the earlier comes first.
bool Batch::RunGroup(std::span<Item* const> items, const std::vector<std::size_t>& group,
                     std::vector<std::optional<Handled>>& handled) {
  if (takes_arrays_ && group.size() > 1 && items[group[0]]->command->seat->takes_batches()) {
    return RunAtOnce(items, group, handled);
  }
  for (const std::size_t index : group) {
    CheckLeases();
    if (TurnIsOver(handled)) return true;
    handled[index] = bus_.Handle(*items[index]->command, session_);
    if (!MayShare(*handled[index])) return false;
  }
  return true;
}

bool Batch::TurnIsOver(const std::vector<std::optional<Handled>>& handled) const {
  return Clock::now() >= turn_ends_ &&
         std::any_of(handled.begin(), handled.end(),
                     [](const auto& each) { return each.has_value(); });
}

bool Batch::RunAtOnce(std::span<Item* const> items, const std::vector<std::size_t>& group,
                      std::vector<std::optional<Handled>>& handled) {
  std::vector<const Command*> commands;
  commands.reserve(group.size());
  for (const std::size_t index : group) commands.push_back(items[index]->command.get());
  auto results = bus_.HandleBatch(commands, session_);
  if (!results) return false;
  for (std::size_t i = 0; i < group.size(); ++i) handled[group[i]] = std::move((*results)[i]);
  return true;
}

void Batch::RunAlone(Item& item) {
  for (int tries = 1; !TryAlone(item); ++tries) {
    if (tries == kConflictTriesMax || Clock::now() >= turn_ends_) {
      item.verdict = Verdict::Of(Outcome::kRetry, "sql_error",
                                 "other transactions were in the way each time it was run");
      return;
    }
    std::uniform_int_distribution<int> pause(1, kConflictPauseMaxMs);
    std::this_thread::sleep_for(std::chrono::milliseconds(pause(random_)));
  }
}

// False when a conflict makes another try worthwhile.
bool Batch::TryAlone(Item& item) {
  try {
    CheckLeases();
    TransactionScope transaction(session_);
    Handled handled = bus_.Handle(*item.command, session_);
    item.ran = handled.ran;
    if (handled.conflict) return false;
    if (handled.verdict.outcome == Outcome::kRetry || handled.verdict.outcome == Outcome::kFailed) {
      session_.Rollback();
      JudgeUnrecorded(item, std::move(handled.verdict));
      return true;
    }
    if (handled.verdict.outcome == Outcome::kRejected && handled.wrote) {
      session_.Rollback();
      session_.Begin();
    }
    Item* items[] = {&item};
    Verdict* verdicts[] = {&handled.verdict};
    Commit(items, verdicts);
    transaction.Ended();
    return true;
  } catch (const StoreError& error) {
    if (journal_.IsRepeat(error)) return RecallRepeat(item);
    Handled handled = Bus::Judge(error);
    if (handled.conflict) return false;
    JudgeUnrecorded(item, std::move(handled.verdict));
    return true;
  }
}

// What fails may do so because a copy of it has been carried out since the journal was asked.
void Batch::JudgeUnrecorded(Item& item, Verdict verdict) {
  try {
    if (item.command->has_id && RecallRepeat(item)) return;
  } catch (const std::runtime_error&) {
    // It may be this very command that the database cannot bear: it is not to be had for nothing.
  }
  item.verdict = std::move(verdict);
}

// Another worker has journalled this id just now. False when its row is gone again.
bool Batch::RecallRepeat(Item& item) {
  const std::string uuids[] = {item.command->uuid};
  const auto found = journal_.Find(uuids);
  if (found.empty()) return false;
  item.verdict = JudgeRepeat(*item.command, found.begin()->second);
  item.repeat = true;
  return true;
}

// Records and commits the open transaction; only then are the verdicts given.
void Batch::Commit(std::span<Item* const> items, std::span<Verdict* const> verdicts) {
  ++worker_.batch;
  std::vector<JournalLine> lines;
  for (std::size_t i = 0; i < items.size(); ++i) {
    lines.push_back({items[i]->command.get(), verdicts[i], items[i]->plugin});
  }
  journal_.Record(lines, worker_);
  journal_.NoteProgress(worker_, /*in_transaction=*/true);
  CheckLeases();
  const auto began = Clock::now();
  session_.Commit();
  const auto ended = Clock::now();
  Metrics::OfThisProcess().ObserveCommit(ended - began);
  Metrics::OfThisProcess().ObserveBatch(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    verdicts[i]->final = true;
    items[i]->verdict = std::move(*verdicts[i]);
    items[i]->batch = worker_.batch;
    items[i]->committed = {began, ended};
  }
}

// The commit guard: no transaction is committed under a lease that may have passed to another.
void Batch::CheckLeases() {
  if (Locks::Clock::now() + commit_margin_ < locks_.expires_at()) return;
  if (!locks_.Renew()) throw LeaseLost("a lock was lost before the commit");
}

}  // namespace iq
