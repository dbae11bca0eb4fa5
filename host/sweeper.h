// What nobody else is left to do: publish the events of a worker that died between its commit and
// the broker's confirm, and prune the journal.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "host/broker/broker.h"
#include "host/config.h"
#include "host/journal.h"
#include "host/store/store.h"

namespace iq {

// One thread of its own in each process; any number of processes may sweep at the same time.
class Sweeper {
 public:
  Sweeper(const Config& config, Broker& broker, Store& store);

  // Until `stop` is set.
  void Run(const std::atomic<bool>& stop);

 private:
  using Clock = std::chrono::steady_clock;

  void Turn(const std::atomic<bool>& stop);
  bool SweepOne(const std::atomic<bool>& stop);
  bool Publish(const std::vector<std::pair<std::string, JournalEntry>>& entries,
               const std::atomic<bool>& stop);
  void Prune(const std::atomic<bool>& stop);

  const Config& config_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Publisher> publisher_;
  Journal journal_;
  Clock::time_point next_turn_{};
  Clock::time_point next_prune_{};
};

}  // namespace iq
