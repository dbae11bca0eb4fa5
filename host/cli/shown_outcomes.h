// The outcomes of commands that ask for a reply: shows each as it comes.
#pragma once

#include <chrono>
#include <functional>

#include "host/awaited_outcomes.h"

namespace iq::cli {

// On stdout.
class ShownOutcomes {
 public:
  // As AwaitedOutcomes has it.
  ShownOutcomes(Broker& broker, std::chrono::milliseconds patience, bool json);
  ShownOutcomes(const ShownOutcomes&) = delete;
  ShownOutcomes& operator=(const ShownOutcomes&) = delete;

  void Expect(Message& message) { awaited_.Expect(message); }

  // Shows what has come, without waiting. Answers heartbeats.
  void ShowArrived() { awaited_.TakeArrived(); }

  // AwaitedOutcomes::TakeAll. Throws std::runtime_error where patience has ended.
  void ShowAll(const std::function<void(Message)>& send, const std::function<void()>& attend);

  bool all_done() const { return all_done_; }

 private:
  void Show(const Message& reply);

  std::chrono::milliseconds patience_;
  bool json_;
  bool all_done_ = true;
  AwaitedOutcomes awaited_;
};

}  // namespace iq::cli
