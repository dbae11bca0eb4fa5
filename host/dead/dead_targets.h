// The queues that dead letters go back to.
#pragma once

#include <map>
#include <string>

#include "host/broker/broker.h"
#include "host/config.h"
#include "host/dead/dead_letter.h"

namespace iq {

// Not thread-safe.
class DeadTargets {
 public:
  // `config` and `broker` must outlive it.
  DeadTargets(const Config& config, Broker& broker) : config_(config), broker_(broker) {}

  // Throws Unavailable, and std::runtime_error where there is no such queue.
  const std::string& Of(const DeadLetter& letter);

 private:
  void Require(const std::string& queue);

  const Config& config_;
  Broker& broker_;
  std::map<std::string, bool> known_;  // Whether there is such a queue.
};

}  // namespace iq
