// The outcomes of commands that ask for a reply: waits for them and hands on each as it comes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "host/broker/broker.h"

namespace iq {

// Not thread-safe.
class AwaitedOutcomes {
 public:
  // `on_outcome` gets each reply, the message of Reply() in host/outgoing.h, once for each command.
  // `patience`: how long nothing may come although something is awaited. Throws Unavailable.
  AwaitedOutcomes(Broker& broker, std::chrono::milliseconds patience,
                  std::function<void(const Message&)> on_outcome);

  // Has `message` ask for a reply, and expects it.
  void Expect(Message& message);

  // Takes what has come, without waiting. Answers heartbeats.
  void TakeArrived() { Take(std::chrono::milliseconds{0}); }

  // Returns when every outcome has come, or false when patience has ended; calls `attend` all the
  // while. A connection lost on the way may have cost replies: then `send` gets the commands again
  // that are still awaited (a rejected one then has a second dead letter); one without an id is not
  // sent again, and ends this with std::runtime_error.
  bool TakeAll(const std::function<void(Message)>& send, const std::function<void()>& attend);

  // How many are still awaited.
  std::size_t size() const { return awaited_.size(); }

 private:
  using Clock = std::chrono::steady_clock;

  void Take(std::chrono::milliseconds wait);
  void TakeOne(const Message& reply);
  void AskAgain(const std::function<void(Message)>& send);

  Broker::ReplyQueue queue_;
  std::chrono::milliseconds patience_;
  std::function<void(const Message&)> on_outcome_;
  std::uint64_t epoch_;
  Clock::time_point progress_at_;
  std::map<std::string, Message> awaited_;  // By correlation id.
};

}  // namespace iq
