#include "host/broker/rabbitmq_publisher.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "host/base/log.h"

namespace iq {
namespace {

constexpr std::chrono::seconds kStable{1};
constexpr std::chrono::seconds kRestorePause{1};
constexpr int kWritesBetweenReads = 64;

}  // namespace

RabbitPublisher::RabbitPublisher(std::shared_ptr<const AmqpEndpoint> endpoint)
    : endpoint_(std::move(endpoint)), outage_(endpoint_->name()) {}

Publisher::Number RabbitPublisher::Publish(Address address, Message message, Routing routing) {
  used_ = true;
  return ledger_.Add(std::move(address), std::move(message), routing);
}

std::vector<Publisher::Number> RabbitPublisher::Collect(std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  do {
    if (EnsureOpen()) {
      try {
        Exchange(deadline);
      } catch (const AmqpClosed& closed) {
        Lost(closed);
      }
    } else if (!ledger_.empty()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      const auto pause = std::min(left, outage_.UntilNextAttempt());
      std::this_thread::sleep_for(std::max(pause, std::chrono::milliseconds{0}));
    }
  } while (confirmed_.empty() && !ledger_.empty() && Clock::now() < deadline);
  return std::exchange(confirmed_, {});
}

bool RabbitPublisher::EnsureOpen() {
  if (channel_) return true;
  if (!used_ || outage_.UntilNextAttempt().count() > 0) return false;
  try {
    auto channel = endpoint_->ConnectAndDeclare();
    channel->SelectConfirms();
    channel_ = std::move(channel);
    opened_ = Clock::now();
    return true;
  } catch (const AmqpClosed& closed) {
    outage_.Failed(closed.reason(), closed.mend());
  } catch (const TopologyMismatch& mismatch) {
    outage_.Failed(mismatch.what(), Unavailable::Mend::kSaid);
  }
  return false;
}

void RabbitPublisher::Exchange(Clock::time_point deadline) {
  if (outage_.ongoing() && Clock::now() - opened_ >= kStable) outage_.Ended();
  Write();
  ReadWhatIsThere();
  Write();  // What the confirms have made room for.
  if (confirmed_.empty() && !ledger_.empty() && Clock::now() < deadline) {
    auto until = deadline;
    if (const auto due = ledger_.NextDue(); due && !blocked()) until = std::min(until, *due);
    if (const auto news = channel_->Next(until)) {
      Take(*news);
      ReadWhatIsThere();
    }
    Write();
  }
  if (routes_missing_) RestoreRoutes();
}

void RabbitPublisher::ReadWhatIsThere() {
  const auto now = Clock::now();
  while (const auto news = channel_->Next(now)) Take(*news);
}

void RabbitPublisher::Write() {
  int written = 0;
  for (;;) {
    const auto number = blocked() ? std::nullopt : ledger_.NextToWrite(Clock::now());
    if (!number || !channel_->Reserve(ledger_.entry(*number).bytes)) break;
    if (written == 0) channel_->Hold(true);
    Send(*number);
    if (++written % kWritesBetweenReads == 0) ReadWhatIsThere();
  }
  if (written > 0) channel_->Hold(false);
}

void RabbitPublisher::Send(Number number) {
  // Before the write, so that a failure in the middle finds it among those on the wire.
  ledger_.Written(number);
  const auto& entry = ledger_.entry(number);
  channel_->Publish(entry.address, entry.message, entry.routing == Routing::kRequired);
}

void RabbitPublisher::Take(const AmqpNews& news) {
  if (const auto* const confirm = std::get_if<AmqpConfirm>(&news)) {
    TakeConfirm(*confirm);
  } else if (const auto* const returned = std::get_if<AmqpReturn>(&news)) {
    ledger_.Returned(returned->address, returned->message);
    if (ledger_.setbacks() == 0 && !routes_missing_) {
      log::Warn(fmt::format(
          "{}: no queue takes what is published to exchange \"{}\" with routing key \"{}\"; "
          "declaring the topology again and publishing again",
          endpoint_->name(), returned->address.exchange, returned->address.routing_key));
    }
    routes_missing_ = true;
  }
}

void RabbitPublisher::TakeConfirm(const AmqpConfirm& confirm) {
  const auto setbacks = ledger_.setbacks();
  const auto done = ledger_.Settle(confirm.sequence, confirm.multiple, confirm.taken, Clock::now());
  confirmed_.insert(confirmed_.end(), done.begin(), done.end());
  if (!done.empty()) outage_.Ended();
  if (!confirm.taken && setbacks == 0) {
    log::Warn(fmt::format("{} cannot take a message for now (nack); publishing again",
                          endpoint_->name()));
  }
}

void RabbitPublisher::RestoreRoutes() {
  const auto now = Clock::now();
  if (now < next_restore_ || blocked()) return;
  next_restore_ = now + kRestorePause;
  try {
    endpoint_->ConnectAndDeclare();
    routes_missing_ = false;
  } catch (const AmqpClosed&) {
    // It is tried again; the loss shows on this connection as well.
  } catch (const TopologyMismatch& mismatch) {
    log::Warn(fmt::format("{}: {}", endpoint_->name(), mismatch.what()));
    routes_missing_ = false;
  }
}

void RabbitPublisher::Lost(const AmqpClosed& closed) {
  outage_.Failed(closed.reason());
  channel_.reset();
  if (closed.refusal()) {
    ledger_.ChannelRefused(Clock::now());
  } else {
    ledger_.ChannelLost();
  }
}

}  // namespace iq
