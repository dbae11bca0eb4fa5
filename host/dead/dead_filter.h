// Which dead letters are meant, by what their headers say.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "host/dead/dead_letter.h"

namespace iq {

// A letter must pass each part that is set.
struct DeadFilter {
  using Time = std::chrono::sys_time<std::chrono::microseconds>;

  std::vector<std::string> codes{};    // One of them.
  std::vector<std::string> types{};    // One of them.
  std::vector<std::string> plugins{};  // One of them, as "name/version".
  std::optional<Time> since{};         // Died then or later.
  std::optional<Time> until{};         // Died before that.

  bool empty() const {
    return codes.empty() && types.empty() && plugins.empty() && !since && !until;
  }

  // A letter that does not say when it died passes neither `since` nor `until`.
  bool Takes(const DeadLetter& letter) const;
};

}  // namespace iq
