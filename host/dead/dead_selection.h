// Which dead letters something is to be done about.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/dead/dead_filter.h"

namespace iq {

// Those with one of these ids, or all, that the filter takes. Without ids, `all` and a filter it is
// none.
struct DeadSelection {
  std::vector<std::string> ids;  // A letter's name or hash_name.
  bool all = false;
  DeadFilter filter{};
  // Of so many letters from the head of the queue; 0: of all. Those that have come since somebody
  // looked are behind.
  std::uint64_t first = 0;
};

}  // namespace iq
