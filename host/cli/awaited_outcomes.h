// The outcomes of commands that ask for a reply: waits for them and shows each as it comes.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <string>

#include "host/broker/broker.h"

namespace iq::cli {

class AwaitedOutcomes {
 public:
  // Gives up when nothing has come for `patience` although something is awaited. Throws
  // Unavailable.
  AwaitedOutcomes(Broker& broker, std::chrono::milliseconds patience, bool json);

  // Has `message` ask for a reply, and expects it.
  void Expect(Message& message);

  // Shows what has come, without waiting. Answers heartbeats.
  void ShowArrived() { Show(std::chrono::milliseconds{0}); }

  // Returns when every outcome has come; calls `attend` all the while. A connection lost on the way
  // may have cost replies: then `send` gets the commands again that are still awaited (a rejected
  // one then has a second dead letter); one without an id is not sent again, and ends this with
  // std::runtime_error, as giving up does.
  void ShowAll(const std::function<void(Message)>& send, const std::function<void()>& attend);

  bool all_done() const { return all_done_; }

 private:
  using Clock = std::chrono::steady_clock;

  void Show(std::chrono::milliseconds wait);
  void ShowOne(const Message& reply);
  void AskAgain(const std::function<void(Message)>& send);

  Broker::ReplyQueue queue_;
  std::chrono::milliseconds patience_;
  bool json_;
  bool all_done_ = true;
  std::uint64_t epoch_;
  Clock::time_point progress_at_;
  std::map<std::string, Message> awaited_;  // By correlation id.
};

}  // namespace iq::cli
