#include "host/dead/dead_targets.h"

#include <fmt/format.h>

#include <stdexcept>

#include "host/base/terminal_text.h"

namespace iq {

const std::string& DeadTargets::Of(const DeadLetter& letter) {
  const std::string& queue = letter.queue.empty() ? config_.consumers[0].queue : letter.queue;
  Require(queue);
  return queue;
}

void DeadTargets::Require(const std::string& queue) {
  if (queue == config_.dead_letter.queue) {
    throw std::runtime_error(
        fmt::format("{}: a letter says that it came from this very queue; look at "
                    "it with `iq dead show`",
                    queue));
  }
  if (!known_.contains(queue)) known_[queue] = broker_.Inspect(queue).has_value();
  if (known_[queue]) return;
  throw std::runtime_error(
      fmt::format("{} has no queue \"{}\" for a letter to go back to; `iq run` declares those of "
                  "consumers[]",
                  broker_.name(), OneLine(queue)));
}

}  // namespace iq
