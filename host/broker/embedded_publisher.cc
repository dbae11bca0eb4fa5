#include "host/broker/embedded_publisher.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "host/base/log.h"
#include "host/broker/embedded_message.h"
#include "host/broker/embedded_queues.h"
#include "host/broker/embedded_transaction.h"

namespace iq {
namespace {

constexpr std::chrono::seconds kRestorePause{1};

// Right after a failure. What a file size limit or a quota refuses is an I/O error.
bool OutOfRoom(const sqlite::Database& database) {
  const int code = sqlite3_extended_errcode(database.handle());
  return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_WRITE;
}

}  // namespace

EmbeddedPublisher::EmbeddedPublisher(std::shared_ptr<const embedded::Endpoint> endpoint)
    : endpoint_(std::move(endpoint)), outage_(endpoint_->name()) {}

Publisher::Number EmbeddedPublisher::Publish(Address address, Message message, Routing routing) {
  return ledger_.Add(std::move(address), std::move(message), routing);
}

std::vector<Publisher::Number> EmbeddedPublisher::Collect(std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  for (;;) {
    if (!ledger_.empty()) TryWrite();
    const auto now = Clock::now();
    if (!confirmed_.empty() || ledger_.empty() || now >= deadline) break;
    auto until = deadline;
    if (const auto due = ledger_.NextDue()) until = std::min(until, *due);
    if (outage_.ongoing()) until = std::min(deadline, now + outage_.UntilNextAttempt());
    std::this_thread::sleep_until(until);
  }
  return std::exchange(confirmed_, {});
}

void EmbeddedPublisher::TryWrite() {
  if (outage_.UntilNextAttempt().count() > 0) return;
  try {
    endpoint_->Attempt([this] {
      EnsureOpen();
      Write();
    });
  } catch (const Unavailable& error) {
    Lost(endpoint_->ReasonOf(error));
  } catch (const TopologyMismatch& mismatch) {
    Lost(mismatch.what());
  }
}

void EmbeddedPublisher::EnsureOpen() {
  if (database_) return;
  database_ = endpoint_->ConnectAndDeclare(sqlite::Database::Sync::kEveryCommit);
  routes_.emplace();
}

void EmbeddedPublisher::Write() {
  endpoint_->CheckInPlace(*database_);
  auto outbound = WhatIsDue();
  if (outbound.empty()) return;
  routes_->Refresh(*database_);
  // Where nobody listens there is nothing to write, and no other writer to wait for.
  if (FindTargets(outbound)) Insert(outbound);
  Settle(outbound);
  outage_.Ended();
  blocked_ = false;
  if (routes_missing_) RestoreRoutes();
}

// The ledger bounds how much one transaction takes.
std::vector<EmbeddedPublisher::Outbound> EmbeddedPublisher::WhatIsDue() {
  std::vector<Outbound> outbound;
  while (const auto number = ledger_.NextToWrite(Clock::now())) {
    ledger_.Written(*number);
    outbound.push_back({.entry = &ledger_.entry(*number), .targets = {}, .properties_json = {}});
  }
  return outbound;
}

bool EmbeddedPublisher::FindTargets(std::vector<Outbound>& outbound) const {
  bool any = false;
  for (Outbound& one : outbound) {
    one.targets = routes_->Match(one.entry->address);
    if (!one.targets || one.targets->empty()) continue;
    any = true;
    if (one.properties_json.empty()) {
      one.properties_json = embedded::PropertiesToJson(one.entry->message);
    }
  }
  return any;
}

void EmbeddedPublisher::Insert(std::vector<Outbound>& outbound) {
  embedded::Transaction transaction(*database_);
  try {
    if (routes_->Refresh(*database_)) FindTargets(outbound);
    const std::int64_t now = embedded::NowMs();
    for (Outbound& one : outbound) InsertOne(one, now);
    transaction.Commit();
  } catch (const Unavailable&) {
    blocked_ = OutOfRoom(*database_);
    throw;
  }
}

// What SQLite cannot hold at all is put off, as RabbitMQ's driver does, and holds up nobody.
void EmbeddedPublisher::InsertOne(Outbound& outbound, std::int64_t now_ms) {
  if (!outbound.targets) return;
  try {
    for (const embedded::Queue* queue : *outbound.targets) {
      embedded::Append(*queue, outbound.entry->address, outbound.properties_json,
                       outbound.entry->message.body, now_ms, *database_);
    }
  } catch (const sqlite::Failure& failure) {
    if (ledger_.setbacks() == 0) {
      log::Warn(fmt::format("{} cannot take a message: {}; publishing again", endpoint_->name(),
                            failure.what()));
    }
    outbound.targets.reset();
  }
}

void EmbeddedPublisher::Settle(const std::vector<Outbound>& outbound) {
  for (const Outbound& one : outbound) {
    const bool required = one.entry->routing == Routing::kRequired;
    const bool taken = one.targets && (!one.targets->empty() || !required);
    if (!taken && ledger_.setbacks() == 0 && !routes_missing_) {
      log::Warn(fmt::format(
          "{}: no queue takes what is published to exchange \"{}\" with routing key \"{}\"; "
          "declaring the topology again and publishing again",
          endpoint_->name(), one.entry->address.exchange, one.entry->address.routing_key));
    }
    if (!taken) routes_missing_ = true;
    const auto done = ledger_.Settle(++sequence_, /*multiple=*/false, taken, Clock::now());
    confirmed_.insert(confirmed_.end(), done.begin(), done.end());
  }
}

void EmbeddedPublisher::RestoreRoutes() {
  const auto now = Clock::now();
  if (now < next_restore_) return;
  next_restore_ = now + kRestorePause;
  routes_missing_ = false;
  try {
    endpoint_->Restore(*database_);
  } catch (const TopologyMismatch& mismatch) {
    log::Warn(fmt::format("{}: {}", endpoint_->name(), mismatch.what()));
  }
}

void EmbeddedPublisher::Lost(const std::string& reason) {
  outage_.Failed(reason);
  ledger_.ChannelLost();
  sequence_ = 0;
  routes_.reset();
  database_.reset();
}

}  // namespace iq
