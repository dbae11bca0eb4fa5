#include "host/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "host/base/log.h"
#include "host/metrics.h"
#include "host/outcome_notes.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

// How long an idle worker waits for a delivery before it looks after everything else.
constexpr auto kIdleWait = 100ms;
// The same where something waits for confirms, or its ack for company.
constexpr auto kNewsWait = 20ms;
// How long it waits for confirms where it takes no deliveries.
constexpr auto kConfirmWait = 5ms;
// How soon a taken lock is asked for again.
constexpr auto kLockedWait = 5ms;
// How long a small batch waits for more commands at most (with 640 a second one of 256 is full by
// then), how long where one of them has found its lock taken, and how often it looks.
constexpr auto kCompanyMax = 400ms;
constexpr auto kLockedCompanyMax = 20ms;
constexpr auto kCompanyStep = 10ms;
// What is unconfirmed for longer is held up by something that no company ends.
constexpr auto kOnItsWayMax = 2s;
constexpr auto kPauseMin = 20ms;
constexpr auto kPauseStep = 100ms;
constexpr auto kJournalPause = 2s;
// An idle worker says that it lives this many times within events.sweep_after.
constexpr int kProgressNotesPerSilence = 4;

// Without those that the host made up.
std::vector<std::string> Uuids(std::span<Item* const> items) {
  std::vector<std::string> uuids;
  for (const Item* item : items) {
    if (item->command->has_id) uuids.push_back(item->command->uuid);
  }
  return uuids;
}

bool Share(const LockKeys& keys, const std::set<std::string_view>& others) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const std::string& key) { return others.contains(key); });
}

Verdict Crashed(const Suspicion& suspicion) {
  Verdict verdict = Verdict::Of(
      Outcome::kFailed, "crashed",
      fmt::format(
          "{} processes died with it in a plugin's hands, the last one (pid {}) in {} of {}",
          suspicion.deaths, suspicion.pid, suspicion.call, suspicion.plugin));
  verdict.final = true;
  return verdict;
}

}  // namespace

Worker::Worker(const WorkerSurroundings& surroundings)
    : config_(surroundings.config),
      consumer_config_(surroundings.consumer),
      listener_(surroundings.listener),
      recorder_(surroundings.recorder),
      slot_(recorder_ == nullptr ? nullptr : recorder_->Claim()),
      suspects_(
          recorder_ == nullptr ? std::string() : recorder_->folder(),
          [&plugins = surroundings.plugins](const std::string& plugin, const std::string& death) {
            plugins.NoteDeath(plugin, death);
          }),
      bus_(surroundings.plugins, surroundings.config.limits, surroundings.clock, slot_.get(),
           listener_),
      session_(surroundings.store.Open(surroundings.config.limits.deadline)),
      locks_(surroundings.locks.Open()),
      publisher_(surroundings.broker.OpenPublisher()),
      consumer_(surroundings.broker.Consume(
          surroundings.consumer.queue, static_cast<std::uint16_t>(surroundings.consumer.prefetch))),
      settlement_(*consumer_, *publisher_, surroundings.config.broker.publish_patience,
                  surroundings.spans),
      answers_(config_, consumer_config_, surroundings.listener),
      traces_(surroundings.spans != nullptr, surroundings.consumer.queue),
      state_(surroundings.consumer.queue),
      journal_(*session_),
      batch_(bus_, *session_, journal_, *locks_, identity_, surroundings.store.takes_arrays(),
             // What is left of a lease must outlast a handler.
             std::max(surroundings.config.locks.lease / 3, surroundings.config.limits.deadline)) {}

void Worker::Run(const std::atomic<bool>& stop) {
  while (!stop) Turn();
  Drain();
}

void Worker::Turn() {
  Receive();
  FinishRelease();
  NoteState();
  idle_memory_.Note(!in_hand_.empty() || settlement_.pending() != 0);
  suspect_turns_.Tidy(settlement_.pending() == 0, Clock::now());
  DropStale();
  if (Clock::now() >= paused_until_ && !AwaitCompany()) Decide();
  SettleDecided();
  // Events first: those of one key then mostly go out in the order of its commands, and no
  // subscriber waits for the lock server. Not where that may take its time: others wait for locks.
  if (!publisher_->ready()) StartRelease();
  Collect(0ms);
  StartRelease();
}

void Worker::Decide() {
  try {
    // First, or a worker that has been waiting for the lock server would pass for dead.
    NoteProgressWhenIdle();
    repeat_notes_.Write(/*idle=*/in_hand_.empty() && settlement_.pending() == 0);
    RunInHand();
  } catch (const CommitUnknown& error) {
    // The rows of that transaction may or may not stand. The commands stay in hand and meet their
    // own rows if they do; which of those are unconfirmed can no longer be told by number. What was
    // decided before goes out under the name that its rows bear.
    SettleDecided();
    for (InHand& each : in_hand_) each.in_doubt = true;
    TakeNewIdentity();
    Pause(error.what());
  } catch (const Unavailable& error) {
    Pause(error.what());
  } catch (const StoreError& error) {
    log::Error(
        fmt::format("the journal cannot be used: {}; is `iq migrate` done, and may the "
                    "database's user read and write schema iq?",
                    error.what()));
    paused_until_ = Clock::now() + kJournalPause;
  } catch (const LeaseLost& error) {
    log::Warn(fmt::format("{}: rolled back, to be run again", error.what()));
  }
}

// Waits where there is nothing to do.
void Worker::Receive() {
  const bool paused = Clock::now() < paused_until_;
  const std::size_t room =
      consumer_config_.prefetch - std::min<std::size_t>(in_hand_.size(), consumer_config_.prefetch);
  const std::size_t wanted = paused ? 0 : std::min<std::size_t>(consumer_config_.batch, room);
  std::chrono::milliseconds wait = 0ms;
  if (paused) {
    wait = kPauseStep;
  } else if (waiting_for_locks_) {
    wait = kLockedWait;
  } else if (in_hand_.empty() && settlement_.pending() == 0) {
    wait = kIdleWait;
  }
  std::vector<Delivery> deliveries = consumer_->Receive(wanted, wait);
  // Not before the wait: what has arrived may be of a type that has just been dropped in.
  bus_.FollowRoutes();
  if (!paused && deliveries.empty() && in_hand_.empty() && settlement_.pending() != 0) {
    AwaitNews(*consumer_, *publisher_, kNewsWait);
  }
  if (std::any_of(deliveries.begin(), deliveries.end(),
                  [](const Delivery& delivery) { return delivery.redelivered; })) {
    suspects_.TakeOver();
  }
  for (Delivery& delivery : deliveries) Take(std::move(delivery));
}

void Worker::Take(Delivery delivery) {
  const auto received_at = settlement_.Received(delivery);
  Decoded decoded = listener_.empty() ? Decode(std::move(delivery), config_)
                                      : DecodeEvent(std::move(delivery), listener_, config_);
  if (auto* refusal = std::get_if<Refusal>(&decoded)) {
    SettleRefused(*refusal, received_at);
    return;
  }
  InHand taken;
  taken.item.command = std::move(std::get<std::unique_ptr<Command>>(decoded));
  taken.item.received_at = received_at;
  traces_.Begin(taken.item.command->trace);
  Admit(taken);
  if (!taken.item.command->has_id) {
    Metrics::OfThisProcess().CountWithoutId();
    log::Debug("a command without an id: it cannot be de-duplicated", About(taken.item));
  }
  in_hand_.push_back(std::move(taken));
}

void Worker::NoteState() {
  state_.Note(consumer_->connected(), publisher_->blocked(), settlement_.in_flight(),
              settlement_.unconfirmed());
}

void Worker::Admit(InHand& taken) {
  Command& command = *taken.item.command;
  if (command.delivery.redelivered) suspects_.AwaitOthers(command);
  taken.suspicion = suspects_.Find(command);
  if (taken.suspicion && taken.suspicion->convicted()) {
    taken.item.plugin = taken.suspicion->plugin;  // Not called again, not even to plan.
    return;
  }
  const auto pass = EnterGate(taken.suspicion.has_value());
  taken.item.verdict = bus_.Admit(command);
  taken.item.plugin = Bus::PluginLabel(command);
}

// What came over a channel that is gone comes again.
void Worker::DropStale() {
  const std::uint64_t epoch = consumer_->epoch();
  std::erase_if(in_hand_, [&](const InHand& each) {
    return !each.item.verdict && each.item.command->delivery.epoch != epoch;
  });
}

// Nagle's rule (RFC 896), for batches: a small one waits while more than it holds is on its way to
// the broker. Then the broker is what is waited for, and a batch that grows meanwhile costs
// everybody less. Where the broker keeps up, none waits.
//
// Returns whether there was something to wait for, after a part of the wait.
bool Worker::AwaitCompany() {
  const auto now = Clock::now();
  const std::size_t held = in_hand_.size();
  const bool small =
      held < consumer_config_.batch && held < settlement_.UnconfirmedSince(now - kOnItsWayMax);
  const bool more_may_come = held + settlement_.pending() < consumer_config_.prefetch;
  if (held == 0 || !small || !more_may_come) {
    alone_since_ = {};
    return false;
  }
  if (alone_since_ == Clock::time_point{}) alone_since_ = now;
  const bool any_is_locked_out =
      std::any_of(in_hand_.begin(), in_hand_.end(),
                  [](const InHand& each) { return each.busy_since != Clock::time_point{}; });
  const bool waits = now - alone_since_ < (any_is_locked_out ? kLockedCompanyMax : kCompanyMax);
  if (!waits) alone_since_ = {};
  // Where one waits for its lock, Receive() has waited.
  if (waits && !waiting_for_locks_) std::this_thread::sleep_for(kCompanyStep);
  return waits;
}

// While a suspect is in a plugin's hands, no other command of this process is: should the process
// die, it will be known of what.
std::unique_ptr<RunGate::Pass> Worker::EnterGate(bool alone) const {
  if (recorder_ == nullptr) return nullptr;
  return std::make_unique<RunGate::Pass>(
      recorder_->gate(), alone ? RunGate::Company::kAlone : RunGate::Company::kOthers);
}

// The next commands to run, in order of arrival: of two with a common key or id, a later one never
// passes an earlier one that has to wait. A suspect is the only one.
std::vector<Worker::InHand*> Worker::Candidates() {
  std::vector<InHand*> candidates;
  InHand* suspect = nullptr;
  std::set<std::string_view> ids;
  std::set<std::string_view> candidate_keys;
  std::set<std::string_view> waiting_keys;
  for (InHand& each : in_hand_) {
    if (each.item.verdict) continue;
    if (candidates.size() == consumer_config_.batch) break;
    const Command& command = *each.item.command;
    const bool behind = Share(command.keys, waiting_keys) || !ids.insert(command.uuid).second;
    if (!behind && !each.suspicion) {
      candidates.push_back(&each);
      candidate_keys.insert(command.keys.begin(), command.keys.end());
      continue;
    }
    if (!behind && suspect == nullptr && !Share(command.keys, candidate_keys)) suspect = &each;
    waiting_keys.insert(command.keys.begin(), command.keys.end());
  }
  return TakeTurns(suspect, std::move(candidates));
}

// A suspect, or `others`, or none while something is to be settled first.
std::vector<Worker::InHand*> Worker::TakeTurns(InHand* suspect, std::vector<InHand*> others) {
  using enum SuspectTurns::Step;
  switch (suspect_turns_.Next(suspect != nullptr, !others.empty(), settlement_.pending() == 0,
                              Clock::now())) {
    case kSuspect:
      return {suspect};
    case kSettle:
      Collect(kConfirmWait, Settlement::Acks::kAtOnce);
      return {};
    case kOthers:
      break;
  }
  return others;
}

// Those of `candidates` that may run now.
std::vector<Worker::InHand*> Worker::TakeLocks(const std::vector<InHand*>& candidates) {
  std::vector<LockKeys> sets;
  sets.reserve(candidates.size());
  for (const InHand* each : candidates) sets.push_back(each->item.command->keys);
  locks_held_ = true;
  const std::vector<bool> taken = locks_->TryAcquire(sets);
  std::vector<InHand*> ready;
  std::set<std::string_view> waiting_keys;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    InHand& each = *candidates[i];
    const LockKeys& keys = each.item.command->keys;
    const bool behind = Share(keys, waiting_keys);
    if (taken[i] && !behind) {
      const bool waited = each.busy_since != Clock::time_point{};
      Metrics::OfThisProcess().ObserveLockWait(waited ? Clock::now() - each.busy_since
                                                      : Clock::duration::zero());
    }
    if (taken[i]) {
      each.busy_since = {};  // Or GiveUpWaiting would give up what is about to run.
    } else if (each.busy_since == Clock::time_point{}) {
      each.busy_since = Clock::now();
    }
    if (taken[i] && !behind) {
      ready.push_back(&each);
    } else {
      waiting_keys.insert(keys.begin(), keys.end());
    }
  }
  return ready;
}

void Worker::RunInHand() {
  const std::vector<InHand*> candidates = Candidates();
  waiting_for_locks_ = false;
  if (candidates.empty()) return;
  // Before the locks: no lease shall end while it waits.
  const auto pass = EnterGate(candidates.front()->suspicion.has_value());
  const bool asked = AskJournal(candidates);
  const std::vector<InHand*> ready = TakeLocks(candidates);
  auto known = asked ? journal_.Answer() : std::map<std::string, JournalEntry>();
  waiting_for_locks_ = ready.empty();
  GiveUpWaiting();
  if (ready.empty()) return;

  std::vector<Item*> items;
  items.reserve(ready.size());
  for (InHand* each : ready) items.push_back(&each->item);
  if (!asked) known = journal_.Find(Uuids(items));
  JudgeRepeats(items, known);
  std::erase_if(items, [](const Item* item) { return item->verdict.has_value(); });
  if (items.empty()) return;
  if (const auto& suspicion = ready.front()->suspicion; suspicion && suspicion->convicted()) {
    items.front()->command->attempt += suspicion->deaths - 1;
    items.front()->verdict = Crashed(*suspicion);
    return;
  }
  identity_.confirmed = settlement_.ConfirmedBatch(identity_.batch);
  batch_.Run(items);
  const bool any_recorded =
      std::any_of(items.begin(), items.end(), [](const Item* item) { return item->batch != 0; });
  if (any_recorded) progress_noted_at_ = Clock::now();
}

// Which of `candidates` are repeats, to be answered while their locks are taken. Not where a lock
// is known to be taken: the question would be asked with each try.
bool Worker::AskJournal(const std::vector<InHand*>& candidates) {
  std::vector<std::string> uuids;
  for (const InHand* each : candidates) {
    if (each->busy_since != Clock::time_point{}) return false;
    if (each->item.command->has_id) uuids.push_back(each->item.command->uuid);
  }
  if (uuids.empty()) return false;
  journal_.Ask(uuids);
  return true;
}

// Commands that are in the journal already have their verdict. A short cut: a copy that commits
// elsewhere between the question and our own insert is met there.
void Worker::JudgeRepeats(std::span<Item* const> items,
                          const std::map<std::string, JournalEntry>& known) {
  for (Item* item : items) {
    const auto entry = known.find(item->command->uuid);
    if (entry == known.end()) continue;
    item->verdict = JudgeRepeat(*item->command, entry->second);
    item->repeat = true;
  }
}

void Worker::GiveUpWaiting() {
  const auto latest = Clock::now() - config_.locks.wait;
  std::vector<Item*> overdue;
  for (InHand& each : in_hand_) {
    const bool waits = !each.item.verdict && each.busy_since != Clock::time_point{};
    if (waits && each.busy_since <= latest) overdue.push_back(&each.item);
  }
  if (overdue.empty()) return;
  // Who holds its keys may have died after it had carried out this very command.
  JudgeRepeats(overdue, journal_.Find(Uuids(overdue)));
  for (auto each = in_hand_.begin(); each != in_hand_.end();) {
    const bool patient =
        each->item.verdict || each->busy_since == Clock::time_point{} || each->busy_since > latest;
    if (patient) {
      ++each;
      continue;
    }
    if (config_.locks.on_busy == LocksConfig::OnBusy::kRequeue) {
      settlement_.Requeue(each->item.command->delivery);
      each = in_hand_.erase(each);
      continue;
    }
    const bool reject = config_.locks.on_busy == LocksConfig::OnBusy::kReject;
    each->item.verdict = Verdict::Of(reject ? Outcome::kRejected : Outcome::kRetry, "lock_busy",
                                     "a lock of the command was taken for longer than locks.wait");
    each->item.verdict->final = reject;
    ++each;
  }
}

// A lock server that is away frees them by itself. It is tried again with every turn, so that an
// idle worker sees that it is back.
void Worker::StartRelease() {
  if (!std::exchange(locks_held_, false)) return;
  try {
    locks_->StartRelease();
  } catch (const Unavailable&) {
    locks_held_ = true;
  }
}

// After the next Receive(): nobody waits for the answer.
void Worker::FinishRelease() {
  try {
    locks_->FinishRelease();
  } catch (const Unavailable&) {
    locks_held_ = true;
  }
}

void Worker::SettleDecided() {
  const bool any = std::any_of(in_hand_.begin(), in_hand_.end(),
                               [](const InHand& each) { return each.item.verdict.has_value(); });
  if (!any) return;
  // The broker may have closed the channel while a batch ran: what it delivers again is not ours.
  consumer_->Receive(0, 0ms);
  for (InHand& each : in_hand_) {
    if (each.item.verdict) SettleVerdict(each);
  }
  std::erase_if(in_hand_, [](const InHand& each) { return each.item.verdict.has_value(); });
}

void Worker::SettleVerdict(const InHand& decided) {
  const Item& item = decided.item;
  const Command& command = *item.command;
  const Delivery& delivery = command.delivery;
  const Verdict& verdict = *item.verdict;
  const bool recorded = item.batch != 0;
  CountOutcome(item, /*lock_was_taken=*/decided.busy_since != Clock::time_point{});
  // The broker has the delivery back and will bring it again: a copy would make two of it.
  if (!recorded && delivery.epoch != consumer_->epoch()) return;
  // Not what has met its own row, and not another command with the same id.
  if (item.repeat && !decided.in_doubt && verdict.outcome != Outcome::kInvalid) {
    repeat_notes_.Remember(command.uuid);
  }
  LogOutcome(item);
  const bool give_up = verdict.final || command.attempt >= command.attempts_max;
  if (!give_up) {
    Metrics::OfThisProcess().CountRetry(Bus::MetricLabel(command), verdict.code);
    settlement_.Settle(delivery, 0, answers_.ToRetry(item), {}, traces_.Of(item));
    return;
  }
  if (decided.suspicion) suspect_turns_.NoteDecided(command);
  if (verdict.outcome != Outcome::kDone) {
    Metrics::OfThisProcess().CountDeadLetter(Bus::MetricLabel(command), verdict.code);
  }
  settlement_.Settle(delivery, item.batch, answers_.ToEnd(item),
                     {.sweepable = recorded && verdict.outcome == Outcome::kDone,
                      .recognisable = recorded && command.has_id},
                     traces_.Of(item));
}

void Worker::SettleRefused(const Refusal& refusal, Clock::time_point received_at) {
  TraceContext context = TraceOf(refusal.delivery.message);
  traces_.Begin(context);
  log::Info(fmt::format("invalid ({})", refusal.code),
            {refusal.id, refusal.type, {}, context.trace_id});
  const Verdict verdict = Verdict::Of(Outcome::kInvalid, refusal.code, refusal.reason);
  Metrics::OfThisProcess().CountCommand({}, OutcomeName(Outcome::kInvalid));
  Metrics::OfThisProcess().CountDeadLetter({}, refusal.code);
  settlement_.Settle(refusal.delivery, 0, answers_.ToRefusal(refusal, verdict), {},
                     traces_.Of(refusal, context, verdict, received_at));
}

void Worker::Collect(std::chrono::milliseconds wait, Settlement::Acks acks) {
  if (settlement_.Collect(wait, acks)) TakeNewIdentity();
}

// The rows under the old name are swept once it has been silent for events.sweep_after.
void Worker::TakeNewIdentity() {
  identity_ = WorkerIdentity::New();
  settlement_.ForgetBatches();
}

// Keeps the sweeper from taking an idle worker for a dead one, and its last events for unconfirmed.
void Worker::NoteProgressWhenIdle() {
  if (identity_.batch == 0 || settlement_.pending() != 0) return;
  const auto now = Clock::now();
  if (now - progress_noted_at_ < config_.events.sweep_after / kProgressNotesPerSilence) return;
  identity_.confirmed = settlement_.ConfirmedBatch(identity_.batch);
  journal_.NoteProgress(identity_, /*in_transaction=*/false);
  progress_noted_at_ = now;
}

// A server is away: nothing is decided, nothing counted.
void Worker::Pause(const std::string& reason) {
  log::Debug(fmt::format("paused: {}", reason));
  const auto wait = std::max({session_->UntilNextAttempt(), locks_->UntilNextAttempt(),
                              std::chrono::milliseconds(kPauseMin)});
  paused_until_ = Clock::now() + wait;
  // How long a lock stayed taken cannot be told while a server is away.
  for (InHand& each : in_hand_) each.busy_since = {};
}

void Worker::Drain() {
  // Acks first: a quorum queue keeps those waiting that come after many of anything else, and
  // forgets them when the channel ends.
  const auto deadline = Clock::now() + config_.limits.shutdown;
  do {  // What had nothing to publish waits for its ack only.
    consumer_->Receive(0, 0ms);
    Collect(kConfirmWait, Settlement::Acks::kAtOnce);
  } while (settlement_.pending() != 0 && Clock::now() < deadline);
  FinishRelease();
  consumer_->Cancel();
  for (const InHand& each : in_hand_) settlement_.Requeue(each.item.command->delivery);
  in_hand_.clear();
  try {
    repeat_notes_.Write(/*idle=*/settlement_.pending() == 0);
    identity_.confirmed = settlement_.ConfirmedBatch(identity_.batch);
    if (settlement_.pending() == 0 && identity_.batch != 0) journal_.RemoveWorker(identity_);
  } catch (const std::exception& error) {
    // Its row stays, and the sweeper finds nothing to do for it.
    log::Debug(fmt::format("could not sign off: {}", error.what()));
  }
}

}  // namespace iq
