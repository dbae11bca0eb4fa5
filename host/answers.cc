#include "host/answers.h"

namespace iq {

// That an event was refused is not an event: it could come to the listener that refuses it, and so
// for ever.
std::vector<Outgoing> Answers::ToEnd(const Item& item) const {
  const Command& command = *item.command;
  const Delivery& delivery = command.delivery;
  Verdict verdict = *item.verdict;
  if (listener_.empty() && verdict.outcome != Outcome::kInvalid &&
      verdict.outcome != Outcome::kDone && verdict.events.empty()) {
    verdict.events.push_back(UnrecordedEndEvent(command, verdict));
  }
  std::vector<Outgoing> answers;
  for (const Event& event : verdict.events) {
    answers.push_back(
        EventMessage(event, command.correlation_id(), command.traceparent, config_.events));
  }
  if (verdict.outcome != Outcome::kDone) {
    answers.push_back(
        DeadCopy(delivery.message,
                 {verdict, command.type, item.plugin, consumer_config_.queue, command.attempt},
                 config_.dead_letter));
  }
  if (AwaitsReply(delivery)) {
    answers.push_back(Reply(delivery, command.id, command.type, verdict));
  }
  return answers;
}

std::vector<Outgoing> Answers::ToRetry(const Item& item) const {
  const Command& command = *item.command;
  std::vector<Outgoing> answers;
  answers.push_back(DelayedCopy(command.delivery.message, consumer_config_.queue, command.attempt,
                                config_.retry));
  return answers;
}

std::vector<Outgoing> Answers::ToRefusal(const Refusal& refusal, const Verdict& verdict) const {
  const Delivery& delivery = refusal.delivery;
  std::vector<Outgoing> answers;
  answers.push_back(DeadCopy(
      delivery.message,
      {verdict, refusal.type, {}, consumer_config_.queue, AttemptsBefore(delivery.message) + 1},
      config_.dead_letter));
  if (AwaitsReply(delivery)) {
    answers.push_back(Reply(delivery, refusal.id, refusal.type, verdict));
  }
  return answers;
}

}  // namespace iq
