// What happened between two looks at all processes: what the page's plots are drawn of.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace iq {

// One process as it was found.
struct LookedAtProcess {
  std::uint32_t pid = 0;
  std::string address;            // Empty where it does not listen.
  nlohmann::ordered_json report;  // As ProcessReport; null where it did not answer.
};

// Turns what processes have counted from their starts into what came in between. Not thread-safe.
class Pulses {
 public:
  using Clock = std::chrono::steady_clock;

  // The next one, with the members "at", "seconds", "commands", "repeated", "retries",
  // "deadLetters", "withoutId", "latency", "batch", "servers" and "processes" of docs/api.md.
  // `servers` are the names of those that are asked for in any case. Of a process that was not seen
  // before, nothing is counted yet.
  nlohmann::ordered_json Next(Clock::time_point now, const std::vector<LookedAtProcess>& processes,
                              const std::vector<std::string>& servers);

 private:
  std::map<std::uint32_t, nlohmann::ordered_json> before_;  // Reports by pid.
  Clock::time_point looked_at_{};
};

}  // namespace iq
