// The dead-letter queue as people see it: letters with a name, and what their headers say.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "host/broker/broker.h"
#include "host/cli/dead.h"
#include "host/config.h"

namespace iq::cli {

struct DeadLetter {
  Delivery delivery;
  std::string name;          // The message id as the host reads it, or hash_name without one.
  std::string hash_name;     // "sha:" and the first 12 digits of the body's SHA-256 in hex.
  std::string journal_uuid;  // Empty where the message cannot be in the journal.
  bool nameless = false;     // A command without an id: a second copy would be carried out as well.
  std::string fault;         // Why the message is no command; empty where it is one.
  std::string type;          // Empty where it could not be told, as all below.
  std::string code;
  std::string outcome;
  std::string plugin;
  std::string at;
  std::string reason;
  std::string queue;          // Where it came from.
  std::int64_t attempts = 0;  // 0 where it is not known.
};

DeadLetter ReadDeadLetter(Delivery delivery, const Config& config);

// Walks the letters that were in the queue when it began, and not those that arrive meanwhile: what
// is retried may come back. Not thread-safe; while it lives, nobody else sees the letters it has
// passed.
class DeadWalk {
 public:
  // Throws std::runtime_error where there is no such queue.
  DeadWalk(Broker& broker, const Config& config);

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

// Which letters are chosen, and which of the names given were never met.
class DeadChoice {
 public:
  explicit DeadChoice(const DeadSelection& selection)
      : all_(selection.all),
        filter_(selection.filter),
        wanted_(selection.ids.begin(), selection.ids.end()) {}

  bool Takes(const DeadLetter& letter);

  // Says on stderr which names were not met, kFailed where there is one; and where there were
  // letters but none was chosen.
  int Report(const std::string& queue) const;

 private:
  bool IsWanted(const DeadLetter& letter);

  bool all_;
  DeadFilter filter_;
  std::set<std::string> wanted_;
  std::set<std::string> met_;
  std::uint64_t seen_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace iq::cli
