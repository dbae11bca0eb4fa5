#include "host/listener_workers.h"

#include <fmt/format.h>

#include <chrono>

#include "host/base/error.h"
#include "host/base/log.h"
#include "host/topology.h"

namespace iq {
namespace {

constexpr std::chrono::milliseconds kTick{100};
constexpr std::chrono::seconds kDeclareAgainAfter{10};

}  // namespace

void ListenerWorkers::Follow() {
  const auto routes = surroundings_.plugins.routes();
  for (auto each = running_.begin(); each != running_.end();) {
    auto& [listener, running] = *each;
    if (routes->listeners.contains(listener)) {
      ++each;
      continue;
    }
    running.stop = true;
    running.thread.join();
    log::Info(fmt::format("listener {} is gone: its events wait in queue \"{}\"", listener,
                          running.consumer.queue));
    each = running_.erase(each);
  }
  for (const auto& [listener, route] : routes->listeners) Start(listener, route.pattern);
}

std::string ListenerWorkers::Described(const std::string& listener, const Running& running) {
  return fmt::format("listener {} takes {} from queue \"{}\"", listener, running.pattern,
                     running.consumer.queue);
}

void ListenerWorkers::Start(const std::string& listener, const std::string& pattern) {
  const auto known = running_.find(listener);
  if (known != running_.end() && known->second.pattern == pattern) return;
  if (!Declare(listener, pattern)) return;
  if (known != running_.end()) {
    known->second.pattern = pattern;
    log::Info(Described(listener, known->second));
    return;
  }
  Running& running = running_[listener];
  running.consumer = surroundings_.consumer;
  running.consumer.queue = ListenerQueue(surroundings_.config, listener);
  running.pattern = pattern;
  running.thread = std::thread([this, &running, listener] {
    Worker({surroundings_.config, running.consumer, surroundings_.plugins, surroundings_.broker,
            surroundings_.store, surroundings_.locks, surroundings_.clock, surroundings_.recorder,
            listener, surroundings_.spans})
        .Run(running.stop);
  });
  log::Info(Described(listener, running));
}

// False where the queue stands with other arguments.
bool ListenerWorkers::Declare(const std::string& listener, const std::string& pattern) {
  const auto refused = undeclarable_.find(listener);
  if (refused != undeclarable_.end() && Clock::now() < refused->second) return false;
  try {
    surroundings_.broker.Declare(MakeListenerTopology(surroundings_.config, listener, pattern));
    return true;
  } catch (const TopologyMismatch& mismatch) {
    const bool is_news = undeclarable_.find(listener) == undeclarable_.end();
    undeclarable_[listener] = Clock::now() + kDeclareAgainAfter;
    if (is_news) {
      log::Error(fmt::format("listener {} is not served: {}", listener, mismatch.what()));
    }
    return false;
  }
}

void ListenerWorkers::Run(const std::atomic<bool>& stop) {
  while (!stop) {
    try {
      Follow();
    } catch (const Unavailable&) {
      // The workers say it.
    }
    std::this_thread::sleep_for(kTick);
  }
  StopAll();
}

void ListenerWorkers::StopAll() {
  for (auto& [listener, running] : running_) running.stop = true;
  for (auto& [listener, running] : running_) running.thread.join();
  running_.clear();
}

}  // namespace iq
