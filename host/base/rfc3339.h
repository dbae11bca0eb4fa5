// A point in time as text.
#pragma once

#include <chrono>
#include <string>

namespace iq {

// In UTC with microseconds, "2024-01-02T03:04:05.678901Z": always of the same length, so that texts
// sort as the times do.
std::string Rfc3339(std::chrono::system_clock::time_point time);

}  // namespace iq
