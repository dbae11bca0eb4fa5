#include "host/broker/embedded_browser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "host/base/log.h"
#include "host/broker/embedded_queues.h"
#include "host/broker/embedded_routes.h"
#include "host/broker/embedded_transaction.h"

namespace iq {
namespace {

using embedded::Transaction;

// It holds as much again as it has come to, up to this: a look at the head takes little, and a long
// walk has few transactions.
constexpr std::int64_t kStepMax = 256;
constexpr std::uint64_t kEpoch = 1;

}  // namespace

EmbeddedBrowser::EmbeddedBrowser(std::shared_ptr<const embedded::Endpoint> endpoint,
                                 std::string queue)
    : endpoint_(std::move(endpoint)), queue_name_(std::move(queue)) {
  endpoint_->Attempt([this] {
    // A removal that a power failure undoes leaves a message to be removed again.
    database_ = endpoint_->Connect(sqlite::Database::Sync::kLater);
    holder_ = std::make_unique<embedded::Holder>(*database_);
    embedded::Routes routes;
    embedded::TidyUp(holder_->locks(), holder_->number(), routes, *database_);
    const embedded::Queue* const found = routes.Find(queue_name_);
    if (found == nullptr) {
      throw UsageError(fmt::format("{} has no queue \"{}\"", endpoint_->name(), queue_name_));
    }
    queue_ = found->id;
  });
}

EmbeddedBrowser::~EmbeddedBrowser() {
  if (!database_) return;
  try {
    Transaction transaction(*database_);
    embedded::Bury(holder_->number(), *database_);
    transaction.Commit();
  } catch (const std::exception& error) {
    // The number's byte is freed with us, and whoever looks next gives back what we had.
    log::Debug(fmt::format("{}: could not end the walk: {}", endpoint_->name(), error.what()));
  }
}

template <typename Call>
auto EmbeddedBrowser::OrBreakOff(Call call) {
  if (!database_) {
    throw Unavailable(
        fmt::format("{}: the walk through {} has broken off", endpoint_->name(), queue_name_));
  }
  try {
    return endpoint_->Attempt(call);
  } catch (const Unavailable&) {
    database_.reset();
    holder_.reset();
    throw;
  }
}

std::optional<Delivery> EmbeddedBrowser::Next() {
  return OrBreakOff([this] {
    if (ahead_.empty()) HoldMore();
    return ahead_.empty() ? std::nullopt : ReadNext();
  });
}

void EmbeddedBrowser::HoldMore() {
  endpoint_->CheckInPlace(*database_);
  Transaction transaction(*database_);
  std::deque<std::int64_t> more;
  {
    auto ready = database_->Prepare(
        "SELECT id FROM iq_broker_queued WHERE queue = ?1 AND held_by = 0 ORDER BY id LIMIT ?2");
    ready.Bind(1, queue_).Bind(2, step_);
    while (ready.Step()) more.push_back(ready.Integer(0));
  }
  if (more.empty()) return;
  embedded::HoldUpTo(queue_, more.back(), holder_->number(), *database_);
  transaction.Commit();
  ahead_ = std::move(more);
  step_ = std::min(step_ * 2, kStepMax);
}

std::optional<Delivery> EmbeddedBrowser::ReadNext() {
  auto statement = database_->Prepare(
      "SELECT q.redelivered, m.exchange, m.routing_key, m.properties, m.body "
      "FROM iq_broker_queued q JOIN iq_broker_message m ON m.id = q.id "
      "WHERE q.queue = ?1 AND q.held_by = ?2 AND q.id = ?3");
  embedded::Stored stored;
  stored.id = ahead_.front();
  if (!statement.Bind(1, queue_).Bind(2, holder_->number()).Bind(3, stored.id).Step()) {
    throw Unavailable(fmt::format("{}: the messages of {} were taken from the walk",
                                  endpoint_->name(), queue_name_));
  }
  ahead_.pop_front();
  stored.redelivered = statement.Integer(0) != 0;
  stored.address = {std::string(statement.Text(1)), std::string(statement.Text(2))};
  stored.properties_json = statement.Text(3);
  stored.body = statement.Text(4);
  const auto tag = static_cast<std::uint64_t>(stored.id);
  return embedded::ToDelivery(std::move(stored), kEpoch, tag);
}

void EmbeddedBrowser::Remove(std::span<const std::uint64_t> tags) {
  OrBreakOff([&] {
    Transaction transaction(*database_);
    for (const std::uint64_t tag : tags) {
      const auto id = static_cast<std::int64_t>(tag);
      if (embedded::RemoveHeld(queue_, holder_->number(), id, *database_)) continue;
      throw Unavailable(fmt::format("{}: the message was taken from the walk through {}",
                                    endpoint_->name(), queue_name_));
    }
    transaction.Commit();
  });
}

}  // namespace iq
