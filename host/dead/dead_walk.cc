#include "host/dead/dead_walk.h"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <vector>

namespace iq {
namespace {

// However old a letter is, what it says is to be shown.
constexpr std::chrono::years kEver{100};

}  // namespace

DeadWalk::DeadWalk(Broker& broker, const Config& config) : config_(config) {
  config_.security = {};
  config_.journal.keep = kEver;
  const std::string& queue = config.dead_letter.queue;
  const auto state = broker.Inspect(queue);
  if (!state) {
    throw std::runtime_error(fmt::format(
        "{} has no queue \"{}\" (dead_letter.queue); `iq run` declares it", broker.name(), queue));
  }
  size_ = state->ready;
  browser_ = broker.Browse(queue);
}

std::optional<DeadLetter> DeadWalk::Next() {
  if (passed_ == size_) return std::nullopt;
  auto delivery = browser_->Next();
  if (!delivery) return std::nullopt;
  ++passed_;
  return ReadDeadLetter(std::move(*delivery), config_);
}

void DeadWalk::Remove(std::span<const DeadLetter> letters) {
  std::vector<std::uint64_t> tags;
  tags.reserve(letters.size());
  for (const DeadLetter& letter : letters) tags.push_back(letter.delivery.tag);
  browser_->Remove(tags);
}

}  // namespace iq
