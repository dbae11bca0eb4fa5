// The exchanges and queues that the host needs, and their names and arguments.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "host/broker/broker.h"
#include "host/config.h"

namespace iq {

// Everything `iq run` declares.
Topology MakeTopology(const Config& config);

// The queue of a listener ("PLUGIN.NAME"), and what `iq run` declares for it.
std::string ListenerQueue(const Config& config, const std::string& listener);
Topology MakeListenerTopology(const Config& config, const std::string& listener,
                              const std::string& pattern);

// The listener whose queue it is; empty when it is none's.
std::string ListenerOf(const Config& config, const std::string& queue);

// The queue in which a message waits for `delay` before it returns to `queue`.
std::string DelayQueue(const std::string& queue, std::chrono::milliseconds delay);

// How long a command waits before its next attempt, after `attempts_made` of them (at least 1).
std::chrono::milliseconds DelayAfter(const RetryConfig& retry, std::uint32_t attempts_made);

}  // namespace iq
