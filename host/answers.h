// Which of the messages of outgoing.h a delivery sends out, by how its command ended.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/batch.h"
#include "host/command.h"
#include "host/config.h"
#include "host/outcome.h"
#include "host/outgoing.h"

namespace iq {

class Answers {
 public:
  // Both configurations must outlive it. `listener`: whose events are in the queue; empty where
  // there are commands.
  Answers(const Config& config, const ConsumerConfig& consumer, std::string listener)
      : config_(config), consumer_config_(consumer), listener_(std::move(listener)) {}

  // Of a command that will not be tried again: its events, its dead letter, its reply.
  std::vector<Outgoing> ToEnd(const Item& item) const;
  // Of one that will: its copy for later.
  std::vector<Outgoing> ToRetry(const Item& item) const;
  // Of a delivery that is no command: its dead letter and its reply.
  std::vector<Outgoing> ToRefusal(const Refusal& refusal, const Verdict& verdict) const;

 private:
  bool AwaitsReply(const Delivery& delivery) const {
    return listener_.empty() && !delivery.message.reply_to.empty();
  }

  const Config& config_;
  const ConsumerConfig& consumer_config_;
  const std::string listener_;
};

}  // namespace iq
