#include "host/store/sqlstate.h"

#include <algorithm>
#include <array>

namespace iq {
namespace {

// Classes (two characters) and single codes of
// https://www.postgresql.org/docs/15/errcodes-appendix.html.
constexpr std::array<std::string_view, 4> kServerClasses{
    "08",  // Connection exception.
    "28",  // Credentials refused.
    "53",  // Disk, memory or connections used up.
    "58",  // The server's own input and output.
};
constexpr std::array<std::string_view, 8> kServerCodes{
    "25006",  // Read-only: a standby, or a primary that became one.
    "25P03",  // Idle in a transaction for too long: the session is ended.
    "3D000",  // No such database (yet, or any more).
    "57P01",  // Shut down by the administrator.
    "57P02",  // Shut down by a crash of another session.
    "57P03",  // Starting up or shutting down.
    "57P04",  // The database was dropped.
    "57P05",  // Idle for too long: the session is ended.
};
constexpr std::array<std::string_view, 3> kConflictCodes{
    "40001",  // Serialization failure.
    "40P01",  // Deadlock.
    "55P03",  // Lock not available in time.
};

// Of the server's classes by its number only: a wrong number of parameters.
constexpr std::string_view kWrongParameters = "08P01";

template <std::size_t kSize>
bool Holds(const std::array<std::string_view, kSize>& codes, std::string_view code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

Blame BlameOf(std::string_view code) {
  if (code == kWrongParameters) return Blame::kStatement;
  if (code.empty() || Holds(kServerClasses, code.substr(0, 2)) || Holds(kServerCodes, code)) {
    return Blame::kServer;
  }
  if (Holds(kConflictCodes, code)) return Blame::kConflict;
  if (code == "23505") return Blame::kDuplicate;
  if (code == "57014") return Blame::kDeadline;
  return Blame::kStatement;
}

}  // namespace iq
