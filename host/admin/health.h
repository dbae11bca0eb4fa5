// Whether this process lives, and whether it does its work.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace iq {

// How far the host is. Any thread.
enum class HostPhase { kStarting, kServing, kStopping };

// Why this process cannot carry out commands now: a line for each reason, which names the server,
// the queue or the phase. Empty when it can.
std::vector<std::string> ReadinessFaults(HostPhase phase);

// Workers whose loop has not turned for longer than `limit`: they hang, and will not mend.
std::vector<std::string> LivenessFaults(std::chrono::milliseconds limit);

}  // namespace iq
