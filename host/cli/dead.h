// The verbs of `iq dead`. Each returns the exit status; all throw Unavailable, and
// std::runtime_error where there is no dead-letter queue.
#pragma once

#include <cstdint>
#include <string>

#include "host/config.h"
#include "host/dead/dead_filter.h"
#include "host/dead/dead_selection.h"

namespace iq::cli {

// The first `limit` of those that the filter takes, all where it is 0.
int ListDead(const Config& config, const DeadFilter& filter, std::uint64_t limit, bool json);
// A row for each code, type and plugin instead.
int ListDeadGroups(const Config& config, const DeadFilter& filter, bool json);
int ShowDead(const Config& config, const std::string& id, bool json);
// kFailed where an id was not found, the others are retried or dropped all the same; and where a
// signal stopped it: what it has not come to is left as it was.
int RetryDead(const Config& config, const DeadSelection& selection, bool json);
int DropDead(const Config& config, const DeadSelection& selection, bool json);
// Says what RetryDead would retry, and changes nothing.
int RehearseRetry(const Config& config, const DeadSelection& selection, bool json);
// Retries one letter with the body that the user's editor makes of it. kFailed where nothing was
// changed.
int EditDead(const Config& config, const std::string& id, bool json);

}  // namespace iq::cli
