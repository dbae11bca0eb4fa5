#include "host/broker/embedded_consumer.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "host/base/log.h"
#include "host/broker/embedded_topology.h"
#include "host/broker/embedded_transaction.h"

namespace iq {
namespace {

using embedded::Transaction;
using std::chrono::milliseconds;

// How an idle consumer looks whether the file has changed, which costs microseconds.
constexpr milliseconds kPauseMin{1};
constexpr milliseconds kPauseMax{10};
// How often it looks whether all who hold deliveries live.
constexpr milliseconds kRollCallEvery{200};

}  // namespace

EmbeddedConsumer::EmbeddedConsumer(std::shared_ptr<const embedded::Endpoint> endpoint,
                                   EmbeddedSource source)
    : endpoint_(std::move(endpoint)), source_(std::move(source)), outage_(endpoint_->name()) {}

EmbeddedConsumer::~EmbeddedConsumer() {
  if (!holder_) return;
  try {
    if (!database_) Open();
    Transaction transaction(*database_);
    if (holder_->KnownTo(*database_)) {
      WriteSettled();
      embedded::Bury(holder_->number(), *database_);
    }
    transaction.Commit();
  } catch (const std::exception& error) {
    // The number's byte is freed with us, and the others give back what we had.
    log::Debug(fmt::format("{}: could not sign off: {}", endpoint_->name(), error.what()));
  }
}

void EmbeddedConsumer::Open() {
  auto database = endpoint_->ConnectAndDeclare(sqlite::Database::Sync::kLater);
  if (holder_ && !holder_->KnownTo(*database)) ForgetNumber();
  if (!holder_) holder_ = std::make_unique<embedded::Holder>(*database);
  Transaction transaction(*database);
  const auto [queue, made] = FindQueue(*database);
  // A queue of its own that had to be made again may have missed messages until now.
  const bool another = queue_ != 0 && queue != queue_;
  if (another || (made && opened_)) ForgetDeliveries();
  embedded::NoteQueue(holder_->number(), cancelled_ ? std::nullopt : std::optional(queue),
                      *database);
  const bool kept = Reconcile(*database, queue);
  transaction.Commit();

  if (!kept) {
    ++epoch_;
    unsettled_.clear();
  }
  opened_ = true;
  queue_ = queue;
  database_ = std::move(database);
  routes_.emplace();
}

EmbeddedConsumer::Found EmbeddedConsumer::FindQueue(sqlite::Database& database) const {
  if (source_.own) return FindOwnQueue(database);
  embedded::Routes routes;
  routes.Refresh(database);
  if (const embedded::Queue* const queue = routes.Find(source_.queue)) return {queue->id};
  throw Unavailable(fmt::format("{}: no queue \"{}\"", endpoint_->name(), source_.queue));
}

// The name is nobody else's: what bears it and is not of this number is left over.
EmbeddedConsumer::Found EmbeddedConsumer::FindOwnQueue(sqlite::Database& database) const {
  {
    auto found = database.Prepare("SELECT id FROM iq_broker_queue WHERE name = ?1 AND owner = ?2");
    found.Bind(1, source_.queue).Bind(2, holder_->number());
    if (found.Step()) return {found.Integer(0)};
  }
  database.Prepare("DELETE FROM iq_broker_queue WHERE name = ?1").Bind(1, source_.queue).Run();
  std::int64_t id = 0;
  {
    auto insert = database.Prepare(
        "INSERT INTO iq_broker_queue (name, arguments, owner) VALUES (?1, '{}', ?2) RETURNING id");
    insert.Bind(1, source_.queue).Bind(2, holder_->number()).Step();
    id = insert.Integer(0);
  }
  if (source_.binding) {
    const Address& binding = *source_.binding;
    embedded::Bind({binding.exchange, source_.queue, binding.routing_key}, id, database);
  }
  return {id, /*made=*/true};
}

// A commit that failed may have taken messages that were never handed on: they go back.
bool EmbeddedConsumer::Reconcile(sqlite::Database& database, std::int64_t queue) const {
  const auto held = embedded::HeldBy(holder_->number(), queue, database);
  const std::set<std::int64_t> in_file(held.begin(), held.end());
  const bool kept = std::all_of(unsettled_.begin(), unsettled_.end(), [&](const auto& delivery) {
    return in_file.contains(delivery.second);
  });
  std::set<std::int64_t> accounted_for;
  for (const Settled& settled : settled_) accounted_for.insert(settled.id);
  if (kept) {
    for (const auto& [tag, id] : unsettled_) accounted_for.insert(id);
  }
  for (const std::int64_t id : held) {
    if (!accounted_for.contains(id)) {
      embedded::GiveBack(queue, holder_->number(), id, database);
    }
  }
  return kept;
}

bool EmbeddedConsumer::EnsureOpen() {
  if (database_) return true;
  if (outage_.UntilNextAttempt().count() > 0) return false;
  try {
    endpoint_->Attempt([this] { Open(); });
    return true;
  } catch (const Unavailable& error) {
    outage_.Failed(endpoint_->ReasonOf(error));
  } catch (const TopologyMismatch& mismatch) {
    outage_.Failed(mismatch.what());
  }
  return false;
}

std::vector<Delivery> EmbeddedConsumer::Receive(std::size_t max, milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  for (;;) {
    auto received = TryTurn(max);
    if (!received.empty() || Clock::now() >= deadline) return received;
    AwaitNews(deadline, Room(max) > 0);
  }
}

std::size_t EmbeddedConsumer::Room(std::size_t max) const {
  if (cancelled_) return 0;
  if (source_.prefetch == 0) return max;
  return std::min(max,
                  source_.prefetch - std::min<std::size_t>(unsettled_.size(), source_.prefetch));
}

std::vector<Delivery> EmbeddedConsumer::TryTurn(std::size_t max) {
  if (!EnsureOpen()) return {};
  std::vector<Delivery> received;
  if (OnFile([&] { received = Turn(max); })) outage_.Ended();
  return received;
}

template <typename Call>
bool EmbeddedConsumer::OnFile(Call call) {
  try {
    endpoint_->Attempt(call);
    return true;
  } catch (const embedded::Gone& gone) {
    ForgetNumber();
    Lost(endpoint_->ReasonOf(gone));
  } catch (const Unavailable& error) {
    Lost(endpoint_->ReasonOf(error));
  }
  return false;
}

// Looks first, and becomes a writer only where there is something to write.
std::vector<Delivery> EmbeddedConsumer::Turn(std::size_t max) {
  endpoint_->CheckInPlace(*database_);
  seen_version_ = database_->data_version();
  const auto dead = FindDead();
  routes_->Refresh(*database_);
  CheckQueue();
  const std::int64_t now = embedded::NowMs();
  const auto due = embedded::NextDueMs(*routes_, now, *database_);
  next_due_ = due ? Clock::now() + milliseconds(std::max<std::int64_t>(*due - now, 0))
                  : Clock::time_point::max();
  const std::size_t room = Room(max);
  const bool ready = room > 0 && embedded::AnyReady(queue_, *database_);
  const bool anything_to_write =
      !settled_.empty() || !dead.empty() || (due && *due <= now) || ready;
  if (!anything_to_write) return {};
  return Number(Write(room, dead));
}

std::vector<std::int64_t> EmbeddedConsumer::FindDead() {
  const auto now = Clock::now();
  if (now < next_roll_call_) return {};
  next_roll_call_ = now + kRollCallEvery;
  const LockFile& locks = holder_->locks();
  if (!locks.InPlace()) {
    throw embedded::Gone(
        fmt::format("its lock file {} was removed or replaced while it was in use; leave it where "
                    "it is while any host runs",
                    locks.path()));
  }
  return embedded::DeadHolders(locks, holder_->number(), *database_);
}

void EmbeddedConsumer::CheckNumber() const {
  if (holder_->KnownTo(*database_)) return;
  throw embedded::Gone("another process took this consumer for dead");
}

void EmbeddedConsumer::CheckQueue() const {
  const embedded::Queue* const queue = routes_->Find(source_.queue);
  if (queue != nullptr && queue->id == queue_) return;
  throw embedded::Gone(fmt::format("the queue {} was deleted", source_.queue));
}

std::vector<embedded::Stored> EmbeddedConsumer::Write(std::size_t room,
                                                      const std::vector<std::int64_t>& dead) {
  Transaction transaction(*database_);
  CheckNumber();
  routes_->Refresh(*database_);
  CheckQueue();
  WriteSettled();
  for (const std::int64_t holder : dead) embedded::Bury(holder, *database_);
  if (!dead.empty()) routes_->Refresh(*database_);
  embedded::MoveDue(*routes_, embedded::NowMs(), *database_);
  auto taken = room > 0 ? Take(room) : std::vector<embedded::Stored>();
  transaction.Commit();
  settled_.clear();
  return taken;
}

std::vector<embedded::Stored> EmbeddedConsumer::Take(std::size_t room) {
  auto head = embedded::Head(queue_, room, *database_);
  if (head.empty()) return head;
  if (source_.own) {
    embedded::RemoveUpTo(queue_, head.back().id, *database_);
  } else {
    embedded::HoldUpTo(queue_, head.back().id, holder_->number(), *database_);
  }
  return head;
}

void EmbeddedConsumer::WriteSettled() {
  for (const auto& [id, acked] : settled_) {
    if (acked) {
      embedded::RemoveHeld(queue_, holder_->number(), id, *database_);
    } else {
      embedded::GiveBack(queue_, holder_->number(), id, *database_);
    }
  }
}

// All or none of them: what is not handed on must not count as received.
std::vector<Delivery> EmbeddedConsumer::Number(std::vector<embedded::Stored> taken) {
  std::vector<Delivery> deliveries;
  std::vector<std::int64_t> ids;
  for (embedded::Stored& stored : taken) {
    ids.push_back(stored.id);
    deliveries.push_back(embedded::ToDelivery(std::move(stored), epoch_, last_tag_ + ids.size()));
  }
  for (const std::int64_t id : ids) {
    ++last_tag_;
    if (!source_.own) unsettled_[last_tag_] = id;
  }
  return deliveries;
}

void EmbeddedConsumer::AwaitNews(Clock::time_point deadline, bool taking) {
  if (!database_) {
    const auto retry = Clock::now() + outage_.UntilNextAttempt();
    std::this_thread::sleep_until(std::min(deadline, retry));
    return;
  }
  if (!taking) {
    std::this_thread::sleep_until(deadline);
    return;
  }
  const auto until = std::min({deadline, next_due_, next_roll_call_});
  auto pause = kPauseMin;
  for (auto now = Clock::now(); now < until; now = Clock::now()) {
    std::this_thread::sleep_until(std::min(until, now + pause));
    if (FileChanged()) return;
    pause = std::min(pause * 2, kPauseMax);
  }
}

bool EmbeddedConsumer::FileChanged() {
  bool changed = true;
  OnFile([&] { changed = database_->data_version() != seen_version_; });
  return changed;
}

void EmbeddedConsumer::Ack(std::uint64_t epoch, std::uint64_t tag, bool multiple) {
  if (epoch != epoch_) return;
  const auto first = multiple ? unsettled_.begin() : unsettled_.lower_bound(tag);
  const auto end = unsettled_.upper_bound(tag);
  for (auto delivery = first; delivery != end; ++delivery) {
    settled_.push_back({delivery->second, /*acked=*/true});
  }
  unsettled_.erase(first, end);
}

void EmbeddedConsumer::Requeue(std::uint64_t epoch, std::uint64_t tag) {
  const auto delivery = unsettled_.find(tag);
  if (epoch != epoch_ || delivery == unsettled_.end()) return;
  settled_.push_back({delivery->second, /*acked=*/false});
  unsettled_.erase(delivery);
}

void EmbeddedConsumer::Cancel() {
  if (std::exchange(cancelled_, true) || !database_) return;
  OnFile([this] {
    endpoint_->CheckInPlace(*database_);
    Transaction transaction(*database_);
    CheckNumber();
    WriteSettled();
    embedded::NoteQueue(holder_->number(), std::nullopt, *database_);
    transaction.Commit();
    settled_.clear();
  });
}

void EmbeddedConsumer::Lost(const std::string& reason) {
  outage_.Failed(reason);
  routes_.reset();
  database_.reset();
}

void EmbeddedConsumer::ForgetDeliveries() {
  ++epoch_;
  unsettled_.clear();
  settled_.clear();
}

void EmbeddedConsumer::ForgetNumber() {
  ForgetDeliveries();
  holder_.reset();
  queue_ = 0;
}

}  // namespace iq
