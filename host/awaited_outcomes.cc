#include "host/awaited_outcomes.h"

#include <stdexcept>
#include <utility>

#include "host/base/uuid.h"

namespace iq {
namespace {

constexpr std::chrono::milliseconds kStep{100};
constexpr std::size_t kAtATime = 1000;

}  // namespace

AwaitedOutcomes::AwaitedOutcomes(Broker& broker, std::chrono::milliseconds patience,
                                 std::function<void(const Message&)> on_outcome)
    : queue_(broker.OpenReplyQueue()),
      patience_(patience),
      on_outcome_(std::move(on_outcome)),
      epoch_(queue_.consumer->epoch()),
      progress_at_(Clock::now()) {}

void AwaitedOutcomes::Expect(Message& message) {
  message.reply_to = queue_.name;
  message.correlation_id = RandomUuid();  // Two commands of one id have an outcome each.
  if (awaited_.empty()) progress_at_ = Clock::now();
  awaited_[message.correlation_id] = message;
}

void AwaitedOutcomes::Take(std::chrono::milliseconds wait) {
  for (const Delivery& delivery : queue_.consumer->Receive(kAtATime, wait)) {
    TakeOne(delivery.message);
  }
}

// A command that is sent again is answered again: the second answer says the same.
void AwaitedOutcomes::TakeOne(const Message& reply) {
  if (awaited_.erase(reply.correlation_id) == 0) return;
  progress_at_ = Clock::now();
  on_outcome_(reply);
}

bool AwaitedOutcomes::TakeAll(const std::function<void(Message)>& send,
                              const std::function<void()>& attend) {
  while (!awaited_.empty()) {
    Take(kStep);
    attend();
    if (queue_.consumer->epoch() != epoch_) AskAgain(send);
    if (!awaited_.empty() && Clock::now() - progress_at_ >= patience_) return false;
  }
  return true;
}

void AwaitedOutcomes::AskAgain(const std::function<void(Message)>& send) {
  epoch_ = queue_.consumer->epoch();
  for (const auto& [correlation_id, message] : awaited_) {
    if (message.message_id.empty()) {
      throw std::runtime_error(
          "the connection was lost while waiting, and a command without an id cannot be asked for "
          "again: its outcome stays unknown");
    }
    send(message);
  }
}

}  // namespace iq
