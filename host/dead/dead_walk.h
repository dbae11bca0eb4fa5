// The dead-letter queue, letter by letter.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "host/broker/broker.h"
#include "host/config.h"
#include "host/dead/dead_letter.h"

namespace iq {

// Walks the letters that were in the queue when it began, and not those that arrive meanwhile: what
// is retried may come back. Not thread-safe; while it lives, nobody else sees the letters it has
// passed.
class DeadWalk {
 public:
  // Throws Unavailable, and std::runtime_error where there is no such queue.
  DeadWalk(Broker& broker, const Config& config);

  // Empty at the end. Throws Unavailable; the walk is then over.
  std::optional<DeadLetter> Next();

  // Takes letters of this walk out of the queue for good. Throws Unavailable: any of them may then
  // still be in the queue.
  void Remove(std::span<const DeadLetter> letters);

  // What `delivery` would be as a letter of this queue.
  DeadLetter Read(Delivery delivery) const { return ReadDeadLetter(std::move(delivery), config_); }

  // How many there were when it began.
  std::uint64_t size() const { return size_; }

 private:
  Config config_;  // Without keys: a letter is known by its id whatever its signature.
  std::uint64_t size_ = 0;
  std::uint64_t passed_ = 0;
  std::unique_ptr<Browser> browser_;
};

}  // namespace iq
