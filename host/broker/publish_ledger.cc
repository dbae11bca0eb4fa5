#include "host/broker/publish_ledger.h"

#include <algorithm>
#include <utility>

namespace iq {
namespace {

// Properties and frames of a message without headers take about this much.
constexpr std::size_t kOverheadBytes = 256;
constexpr std::size_t kHeaderBytes = 64;

constexpr std::chrono::milliseconds kSetbackPause{500};
constexpr std::chrono::milliseconds kRefusalPause{1000};
constexpr std::uint32_t kDoublingsMax = 5;  // 1 s up to 32 s.

std::size_t SizeOnWire(const Address& address, const Message& message) {
  return kOverheadBytes + address.exchange.size() + address.routing_key.size() +
         message.body.size() + kHeaderBytes * message.headers.size();
}

}  // namespace

PublishLedger::Number PublishLedger::Add(Address address, Message message,
                                         Publisher::Routing routing) {
  const Number number = ++last_number_;
  Entry entry;
  entry.bytes = SizeOnWire(address, message);
  entry.address = std::move(address);
  entry.message = std::move(message);
  entry.routing = routing;
  entries_.emplace_hint(entries_.end(), number, std::move(entry));
  waiting_.insert(waiting_.end(), number);
  return number;
}

void PublishLedger::Erase(std::map<Number, Entry>::iterator entry) {
  if (entry->second.setbacks > 0) --setbacks_;
  entries_.erase(entry);
}

void PublishLedger::Forget(Number number) {
  const auto entry = entries_.find(number);
  if (entry == entries_.end()) return;
  waiting_.erase(number);
  Erase(entry);
}

void PublishLedger::Wake(Time now) {
  while (!put_off_.empty() && put_off_.begin()->first <= now) {
    const Number number = put_off_.begin()->second;
    put_off_.erase(put_off_.begin());
    if (entries_.contains(number)) waiting_.insert(number);
  }
}

std::optional<PublishLedger::Time> PublishLedger::NextDue() const {
  if (put_off_.empty()) return std::nullopt;
  return put_off_.begin()->first;
}

std::optional<PublishLedger::Number> PublishLedger::NextToWrite(Time now) {
  Wake(now);
  if (waiting_.empty()) return std::nullopt;
  if (wire_messages_ == 0) return *waiting_.begin();
  if (wire_alone_ || wire_messages_ >= kMessagesOnWireMax || wire_bytes_ >= kBytesOnWireMax) {
    return std::nullopt;
  }
  const Number number = *waiting_.begin();
  if (TravelsAlone(number, entries_.at(number))) return std::nullopt;
  return number;
}

void PublishLedger::Written(Number number) {
  auto& entry = entries_.at(number);
  waiting_.erase(number);
  wire_.push_back({.number = number, .bytes = entry.bytes});
  ++wire_messages_;
  wire_bytes_ += entry.bytes;
  wire_alone_ = TravelsAlone(number, entry);
}

std::vector<PublishLedger::Number> PublishLedger::Settle(std::uint64_t sequence, bool multiple,
                                                         bool taken, Time now) {
  std::vector<Number> done;
  const auto settle = [&](OnWire& slot) {
    if (const auto number = SettleOne(slot, taken, now)) done.push_back(*number);
  };
  const std::uint64_t end = first_sequence_ + wire_.size();
  if (sequence >= end || (sequence < first_sequence_ && sequence != 0)) return done;
  if (multiple) {
    // A sequence of 0 means all of them.
    const auto count = sequence == 0 ? wire_.size() : sequence - first_sequence_ + 1;
    for (std::size_t i = 0; i < count; ++i) settle(wire_[i]);
  } else if (sequence != 0) {
    settle(wire_[sequence - first_sequence_]);
  }
  while (!wire_.empty() && wire_.front().settled) {
    wire_.pop_front();
    ++first_sequence_;
  }
  return done;
}

std::optional<PublishLedger::Number> PublishLedger::SettleOne(OnWire& slot, bool taken, Time now) {
  if (std::exchange(slot.settled, true)) return std::nullopt;
  --wire_messages_;
  wire_bytes_ -= slot.bytes;
  if (wire_messages_ == 0) wire_alone_ = false;
  const auto entry = entries_.find(slot.number);
  if (entry == entries_.end()) return std::nullopt;
  if (taken && !entry->second.returned) {
    Erase(entry);
    return slot.number;
  }
  PutOff(slot.number, entry->second, now + kSetbackPause);
  return std::nullopt;
}

void PublishLedger::PutOff(Number number, Entry& entry, Time until) {
  if (entry.setbacks++ == 0) ++setbacks_;
  entry.returned = false;
  put_off_.emplace(until, number);
}

void PublishLedger::Returned(const Address& address, const Message& message) {
  for (const auto& slot : wire_) {
    const auto found = slot.settled ? entries_.end() : entries_.find(slot.number);
    if (found == entries_.end()) continue;
    auto& entry = found->second;
    if (!entry.returned && entry.routing == Publisher::Routing::kRequired &&
        entry.address.exchange == address.exchange &&
        entry.address.routing_key == address.routing_key &&
        entry.message.message_id == message.message_id && entry.message.body == message.body) {
      entry.returned = true;
      return;
    }
  }
}

void PublishLedger::ChannelLost() {
  for (const auto& slot : wire_) {
    const auto found = slot.settled ? entries_.end() : entries_.find(slot.number);
    if (found == entries_.end()) continue;
    found->second.returned = false;
    waiting_.insert(slot.number);
  }
  wire_.clear();
  first_sequence_ = 1;
  wire_messages_ = 0;
  wire_bytes_ = 0;
  wire_alone_ = false;
}

void PublishLedger::ChannelRefused(Time now) {
  std::vector<Number> suspects;
  for (const auto& slot : wire_) {
    if (!slot.settled && entries_.contains(slot.number)) suspects.push_back(slot.number);
  }
  const bool certain = wire_messages_ == 1;
  ChannelLost();
  if (suspects.empty()) return;
  if (!certain) {
    alone_until_ = std::max(alone_until_, suspects.back());
    return;
  }
  auto& entry = entries_.at(suspects.front());
  entry.suspect = true;
  waiting_.erase(suspects.front());
  PutOff(suspects.front(), entry,
         now + kRefusalPause * (1U << std::min(entry.setbacks, kDoublingsMax)));
}

}  // namespace iq
