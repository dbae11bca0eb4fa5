// A command as the loop sees it: read from a delivery, decided by the database, told in events.
#pragma once

#include <amqp.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace iq::bench::floor {

using Uuid = std::array<unsigned char, 16>;

struct EnvelopeFree {
  void operator()(amqp_envelope_t* envelope) const;
};
using Envelope = std::unique_ptr<amqp_envelope_t, EnvelopeFree>;

// Each has a statement of its own. The last three are the events of the type `lock`.
enum class Kind { kIncome, kWithdraw, kTransfer, kHold, kCapture, kRelease };
inline constexpr std::size_t kKinds = 6;

enum class Outcome { kDone, kRejected, kInvalid };

struct Event {
  std::string name;
  std::string id;
  std::string occurred_at;
  std::string body;
};

struct Verdict {
  Outcome outcome = Outcome::kDone;
  std::string code;
  std::string reason;
  std::vector<Event> events;
};

struct Command {
  Envelope envelope;
  std::string id;  // As the producer gave it; a random UUID where it gave none.
  std::string correlation_id;
  std::string traceparent;
  Uuid uuid{};
  std::array<unsigned char, 32> payload_hash{};
  std::string type;
  Kind kind = Kind::kIncome;
  std::int64_t user = 0;
  std::int64_t payer = 0;  // Of a transfer.
  std::int64_t sum = 0;    // In thousandths.
  std::string hold;        // Of a lock.
  std::vector<std::string> keys;
  bool looked_up = false;  // In the journal, where it was not.
  std::optional<Verdict> verdict;
};

// What a statement says of one command. Balances are those after it, or, where nothing was
// written, those that it found; a hold is only told of where nothing was written.
struct Effect {
  bool done = false;
  std::optional<std::int64_t> balance;
  std::optional<std::int64_t> payer_balance;
  std::optional<std::int64_t> hold_user;
  std::optional<std::int64_t> hold_sum;
};

// A command that is not one has its verdict at once.
std::unique_ptr<Command> Decode(Envelope envelope);

// Done with its event, or rejected with the reason and the event that tells it. Throws when a
// balance changed under the command's lock.
Verdict Judge(const Command& command, const Effect& effect, const std::string& now);

// From a journal row's array of bodies.
std::vector<Event> ReadEvents(std::string_view array);

Uuid RandomUuid();
std::string UuidText(const Uuid& uuid);
std::string Rfc3339Now();
std::string_view View(amqp_bytes_t bytes);
amqp_bytes_t Bytes(std::string_view text);

}  // namespace iq::bench::floor
