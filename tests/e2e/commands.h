// Command bodies as producers write them.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace iq::test {

// `details` is JSON.
inline std::string Body(const std::string& type, std::int64_t user, const std::string& sum = "1",
                        const std::string& details = "{}") {
  return fmt::format(R"({{"type":"{}","userId":{},"sum":{},"details":{}}})", type, user, sum,
                     details);
}

inline std::string HoldDetails(const std::string& event, const std::string& uuid) {
  return fmt::format(R"({{"event":"{}","uuid":"{}"}})", event, uuid);
}

}  // namespace iq::test
