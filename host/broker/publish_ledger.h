// Which messages wait to be published, which are on the wire, and which the broker has confirmed.
//
// It knows no socket and no clock: it only decides what is to be written next, and what an answer
// of the broker means for which message.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "host/broker/broker.h"

namespace iq {

// Not thread-safe.
class PublishLedger {
 public:
  using Number = Publisher::Number;
  using Time = std::chrono::steady_clock::time_point;

  // The most that is on the wire unconfirmed: the broker stops reading when it has an alarm.
  static constexpr std::size_t kMessagesOnWireMax = 1024;
  static constexpr std::size_t kBytesOnWireMax = 1024 * 1024;

  struct Entry {
    Address address;
    Message message;
    Publisher::Routing routing = Publisher::Routing::kOptional;
    std::size_t bytes = 0;  // About what it takes on the wire.
    bool returned = false;  // No queue took it; its confirm is still to come.
    bool suspect = false;   // The broker closed the channel over it: it travels alone.
    std::uint32_t setbacks = 0;
  };

  Number Add(Address address, Message message, Publisher::Routing routing);
  void Forget(Number number);

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }

  // The message to write now, unless the window is full or none is due. Messages are written in
  // order, but for those that wait out a setback.
  std::optional<Number> NextToWrite(Time now);
  const Entry& entry(Number number) const { return entries_.at(number); }
  void Written(Number number);

  // When the first of those that wait out a setback is due.
  std::optional<Time> NextDue() const;

  // The broker's answer to the publications up to `sequence`, counted on this channel from 1.
  // Returns the numbers that are done with; what was nacked or returned is put off.
  std::vector<Number> Settle(std::uint64_t sequence, bool multiple, bool taken, Time now);

  // Marks the oldest message on the wire that this can be: a return does not say which one it is.
  void Returned(const Address& address, const Message& message);

  // Nothing on the wire will be answered any more: all of it is written again, in order.
  void ChannelLost();

  // The same, but the broker has closed the channel over one of them. Where it can only be one,
  // that one is put off; otherwise each travels alone until it is clear which one it was.
  void ChannelRefused(Time now);

  // Messages that wait out a setback or have had one.
  std::size_t setbacks() const { return setbacks_; }

 private:
  struct OnWire {
    Number number = 0;
    std::size_t bytes = 0;
    bool settled = false;
  };

  bool TravelsAlone(Number number, const Entry& entry) const {
    return entry.suspect || number <= alone_until_;
  }
  void Wake(Time now);
  void PutOff(Number number, Entry& entry, Time until);
  std::optional<Number> SettleOne(OnWire& slot, bool taken, Time now);
  void Erase(std::map<Number, Entry>::iterator entry);

  std::map<Number, Entry> entries_;
  Number last_number_ = 0;
  std::set<Number> waiting_;
  std::multimap<Time, Number> put_off_;  // May name messages that are forgotten by now.

  std::deque<OnWire> wire_;  // The first one has the sequence number first_sequence_.
  std::uint64_t first_sequence_ = 1;
  std::size_t wire_messages_ = 0;
  std::size_t wire_bytes_ = 0;
  bool wire_alone_ = false;  // What is on the wire travels alone.
  Number alone_until_ = 0;
  std::size_t setbacks_ = 0;
};

}  // namespace iq
