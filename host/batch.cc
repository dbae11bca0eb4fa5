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

// Those of `wave` in runs of one seat, in order of first arrival.
std::vector<std::vector<std::size_t>> BySeat(std::span<Item* const> items,
                                             const std::vector<std::size_t>& wave) {
  std::vector<std::vector<std::size_t>> groups;
  std::map<const Seat*, std::size_t> group_of;
  for (const std::size_t index : wave) {
    const auto [group, is_new] = group_of.emplace(items[index]->command->seat.get(), groups.size());
    if (is_new) groups.emplace_back();
    groups[group->second].push_back(index);
  }
  return groups;
}

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

std::vector<std::vector<std::size_t>> Batch::Waves(std::span<Item* const> items) {
  std::vector<std::vector<std::size_t>> waves;
  std::map<std::string_view, std::size_t> next_wave;  // By key: the first wave without it.
  for (std::size_t i = 0; i < items.size(); ++i) {
    const LockKeys& keys = items[i]->command->keys;
    std::size_t wave = 0;
    for (const std::string& key : keys) wave = std::max(wave, next_wave[key]);
    for (const std::string& key : keys) next_wave[key] = wave + 1;
    if (wave >= waves.size()) waves.resize(wave + 1);
    waves[wave].push_back(i);
  }
  return waves;
}

// True when those were decided for which there was time. False leaves nothing behind: each must run
// alone.
bool Batch::RunTogether(std::span<Item* const> items) {
  try {
    std::vector<std::optional<Handled>> handled(items.size());
    TransactionScope transaction(session_);
    for (const auto& wave : Waves(items)) {
      if (!RunWave(items, wave, handled)) return false;
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
// was not handled keeps nothing: of two commands with a common key, the earlier is in an earlier
// wave.
bool Batch::RunWave(std::span<Item* const> items, const std::vector<std::size_t>& wave,
                    std::vector<std::optional<Handled>>& handled) {
  for (const auto& group : BySeat(items, wave)) {
    CheckLeases();
    if (TurnIsOver(handled)) return true;
    if (takes_arrays_ && group.size() > 1 && Bus::TakesBatches(*items[group[0]]->command)) {
      if (!RunGroup(items, group, handled)) return false;
      continue;
    }
    for (const std::size_t index : group) {
      CheckLeases();
      if (TurnIsOver(handled)) return true;
      handled[index] = bus_.Handle(*items[index]->command, session_);
      if (!MayShare(*handled[index])) return false;
    }
  }
  return true;
}

bool Batch::TurnIsOver(const std::vector<std::optional<Handled>>& handled) const {
  return Clock::now() >= turn_ends_ &&
         std::any_of(handled.begin(), handled.end(),
                     [](const auto& each) { return each.has_value(); });
}

bool Batch::RunGroup(std::span<Item* const> items, const std::vector<std::size_t>& group,
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
