// What one process tells those who gather it from all: /process.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>

#include "host/admin/health.h"

namespace iq {

// How far it is, what is wrong, its workers, the servers as it sees them, and what it has counted
// from its start:
//   {"pid", "version", "startedAt", "phase", "faults": [text], "workers": [{…}], "servers": [{…}],
//    "counts": {NAME: number}, "commands": [{"type", "outcome", "count"}],
//    "latency": HISTOGRAM, "batch": HISTOGRAM}
// with HISTOGRAM {"sum", "count", "buckets": [[upper bound or null, how many so far], …]}, bounds
// in seconds or commands.
nlohmann::ordered_json ProcessReport(HostPhase phase,
                                     std::chrono::system_clock::time_point started_at);

}  // namespace iq
