// The workers of the listeners: one for each, for as long as a plugin has it.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>

#include "host/config.h"
#include "host/routes.h"
#include "host/worker.h"

namespace iq {

// Its members belong to one thread at a time.
class ListenerWorkers {
 public:
  // `surroundings`: of every worker; their consumer, the first of the configuration, tells the
  // batch and the prefetch, and their listener is not looked at.
  explicit ListenerWorkers(const WorkerSurroundings& surroundings) : surroundings_(surroundings) {}
  ListenerWorkers(const ListenerWorkers&) = delete;
  ListenerWorkers& operator=(const ListenerWorkers&) = delete;
  ~ListenerWorkers() { StopAll(); }

  // Declares the queues of listeners that are new, starts their workers, and stops those of
  // listeners that are gone, whose queues stay. Throws Unavailable; what was begun stands.
  void Follow();

  // Follows until `stop` is set; then stops them all, and returns when they have drained.
  void Run(const std::atomic<bool>& stop);

 private:
  using Clock = std::chrono::steady_clock;

  struct Running {
    ConsumerConfig consumer;
    std::string pattern;
    std::atomic<bool> stop{false};
    std::thread thread;
  };

  static std::string Described(const std::string& listener, const Running& running);
  bool Declare(const std::string& listener, const std::string& pattern);
  // Or follows its pattern.
  void Start(const std::string& listener, const std::string& pattern);
  void StopAll();

  const WorkerSurroundings surroundings_;
  std::map<std::string, Running> running_;  // By label.
  // Those whose queue stands with other arguments, which is said once, and when it is tried again.
  std::map<std::string, Clock::time_point> undeclarable_;
};

}  // namespace iq
