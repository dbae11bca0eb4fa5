// Publishes what must reach a queue, and gives up where the broker confirms nothing for too long.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "host/broker/broker.h"

namespace iq {

// Every call throws Unavailable when nothing has been confirmed for `patience` although something
// waits for it: what is unconfirmed may or may not have arrived.
class ConfirmedSender {
 public:
  ConfirmedSender(Broker& broker, std::chrono::milliseconds patience);

  // Takes the message; waits when very many are unconfirmed.
  void Send(Address address, Message message);

  // Puts on the wire what was taken and reads confirms, without waiting. Call it every few seconds.
  void Attend();

  // Returns when everything is confirmed.
  void Flush();

  std::uint64_t confirmed() const { return confirmed_; }

 private:
  using Clock = std::chrono::steady_clock;

  void Collect(std::chrono::milliseconds wait);

  std::string server_;
  std::unique_ptr<Publisher> publisher_;
  std::chrono::milliseconds patience_;
  Address last_address_;
  std::uint64_t taken_ = 0;
  std::uint64_t confirmed_ = 0;
  Clock::time_point progress_at_{};
};

}  // namespace iq
