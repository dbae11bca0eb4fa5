// A point in time out of PostgreSQL, in the form that iq shows.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace iq {

// The expression for a timestamptz column as Rfc3339 (host/base/rfc3339.h) writes it; NULL stays
// so.
inline std::string AsRfc3339(std::string_view column) {
  return fmt::format(R"(to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))", column);
}

}  // namespace iq
