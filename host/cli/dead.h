// The verbs of `iq dead`. Each returns the exit status; all throw Unavailable, and
// std::runtime_error where there is no dead-letter queue.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/config.h"

namespace iq::cli {

// Which dead letters a verb is for.
struct DeadSelection {
  std::vector<std::string> ids;  // As `iq dead list` shows them.
  bool all = false;
};

// The first `limit` of them, all where it is 0.
int ListDead(const Config& config, std::uint64_t limit, bool json);
int ShowDead(const Config& config, const std::string& id, bool json);
// kFailed where an id was not found; the others are retried or dropped all the same.
int RetryDead(const Config& config, const DeadSelection& selection, bool json);
int DropDead(const Config& config, const DeadSelection& selection, bool json);

}  // namespace iq::cli
