// A point in time as text.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace iq {

// In UTC with microseconds, "2024-01-02T03:04:05.678901Z": always of the same length, so that texts
// sort as the times do.
std::string Rfc3339(std::chrono::system_clock::time_point time);

// The time that `text` is, of any offset from UTC; digits after the microsecond are dropped.
// Nothing where it is not written as RFC 3339 has it.
std::optional<std::chrono::sys_time<std::chrono::microseconds>> ParseRfc3339(std::string_view text);

}  // namespace iq
