#include "host/base/rfc3339.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace iq {

std::string Rfc3339(std::chrono::system_clock::time_point time) {
  using std::chrono::system_clock;
  const auto exact = std::chrono::floor<std::chrono::microseconds>(time);
  const auto second = std::chrono::floor<std::chrono::seconds>(exact);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(system_clock::to_time_t(second)),
                     (exact - second).count());
}

}  // namespace iq
