// What a SQLSTATE says about whose failure it was: the one place where the host decides whether the
// same statement may succeed later, and whether the command is to blame.
#pragma once

#include <string_view>

namespace iq {

enum class Blame {
  kServer,     // Down, restarting, read-only, full, or refuses us: reconnect and try again.
  kConflict,   // Another transaction was in the way.
  kDuplicate,  // A unique constraint.
  kDeadline,   // The statement was cancelled: it ran too long.
  kStatement,  // The statement or its data.
};

// `code` is the five characters of a SQLSTATE, or empty where the server gave none (the client
// library's own failures, a killed session): that is kServer.
Blame BlameOf(std::string_view code);

}  // namespace iq
