// `lock`: holds money, captures a hold, or gives it back. Amounts are in thousandths.
//
// A capture or release may overtake its hold in the queue; with the setting `await_hold: true` an
// unknown hold is tried again before it is refused.
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <iq/plugin.h>

#include "billing/balances.h"

namespace {

enum class Event { kLock, kWithdraw, kUnlock };
constexpr std::array<std::string_view, 3> kEventNames{"lock", "withdraw", "unlock"};

// The hold's row follows in a statement of its own: it is there before anybody sees the debit.
constexpr std::string_view kDebit = R"(
  UPDATE balance SET sum = sum - $1
  WHERE user_id = $2 AND sum >= $1
    AND NOT EXISTS (SELECT 1 FROM blocked_money WHERE uuid = $3)
  RETURNING sum)";
constexpr std::string_view kHold =
    "INSERT INTO blocked_money (uuid, user_id, sum) VALUES ($3, $2, $1)";

// Deleting the hold is what decides who gets its money: of two that try, one meets no row.
constexpr std::string_view kFree = R"(
  DELETE FROM blocked_money WHERE uuid = $3 AND user_id = $2 AND sum = $1
  RETURNING (SELECT b.sum FROM balance AS b WHERE b.user_id = $2))";
constexpr std::string_view kCredit = R"(
  UPDATE balance SET sum = sum + $1
  WHERE user_id = $2 AND sum <= 9223372036854775807 - $1
  RETURNING sum)";

constexpr std::string_view kLog =
    "INSERT INTO transaction_log (type, sum, user_id, details) VALUES (3, $1, $2, $3)";

// The same for many. The subqueries are those of billing/balances.h.
constexpr std::string_view kReadHolds = R"(
  SELECT uuid, user_id, sum FROM blocked_money
  WHERE uuid = ANY((SELECT $1::text[])::text[]) ORDER BY uuid FOR UPDATE)";
constexpr std::string_view kDeleteHolds =
    "DELETE FROM blocked_money WHERE uuid = ANY((SELECT $1::text[])::text[])";
constexpr std::string_view kInsertHolds = R"(
  INSERT INTO blocked_money (uuid, user_id, sum)
  SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[]))";
constexpr std::string_view kLogAll = R"(
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 3, done.sum, user_id, jsonb_build_object('event', event, 'uuid', uuid)
  FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS done(user_id, sum, event, uuid))";

struct Order {
  // Throws iq::Invalid for a sum that is not above zero.
  explicit Order(const iq::Command& command)
      : user(command.Integer("userId")),
        sum(command.Decimal("sum", 3)),
        uuid(command.Text("details.uuid")),
        event(ParseEvent(command.Text("details.event"))) {
    if (sum <= 0) throw iq::Invalid("sum must be above zero");
  }

  static Event ParseEvent(std::string_view name) {
    for (const Event event : {Event::kLock, Event::kWithdraw, Event::kUnlock}) {
      if (name == kEventNames[static_cast<std::size_t>(event)]) return event;
    }
    throw iq::Invalid("details.event must be lock, withdraw or unlock");
  }

  std::string_view event_name() const { return kEventNames[static_cast<std::size_t>(event)]; }

  std::int64_t user;
  std::int64_t sum;
  std::string_view uuid;
  Event event;
};

// FNV-1a, 64 bits (Fowler, Noll, Vo).
std::string Hash(std::string_view text) {
  constexpr std::uint64_t kBasis = 0xcbf29ce484222325U;
  constexpr std::uint64_t kPrime = 0x100000001b3U;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::uint64_t hash = kBasis;
  for (const char character : text) {
    hash = (hash ^ static_cast<unsigned char>(character)) * kPrime;
  }
  std::string digits;
  for (unsigned shift = 64; shift > 0; shift -= 4) digits += kHex[(hash >> (shift - 4)) & 0xFU];
  return digits;
}

// A lock key has at most 255 bytes, a uuid up to 255 characters of up to four bytes: a long one is
// named by its hash. Two uuids that share a hash merely wait for each other.
std::string HoldKey(std::string_view uuid) {
  constexpr std::string_view kPrefix = "hold:";
  constexpr std::size_t kKeyBytesMax = 255;
  const bool fits = kPrefix.size() + uuid.size() <= kKeyBytesMax;
  return std::string(kPrefix) + (fits ? std::string(uuid) : Hash(uuid));
}

// A row of blocked_money.
struct Hold {
  std::int64_t user;
  std::int64_t sum;
  bool operator==(const Hold&) const = default;
};

// The holds that a batch's commands are about: read before those are decided, written afterwards.
class Holds {
 public:
  // Nobody else can change one in between. One that is not there may be made meanwhile: then
  // Write() fails on its key, and the host runs the commands one by one. Waits for the rows.
  Holds(const std::vector<std::string_view>& uuids, iq::BatchContext& batch) {
    for (const iq::Row row : batch.Query(kReadHolds, uuids)) {
      const Hold hold{row.Integer(1), row.Integer(2)};
      changes_.emplace(std::string(row.Text(0)), Change{hold, hold});
    }
  }

  std::optional<Hold> Of(std::string_view uuid) const {
    const auto change = changes_.find(uuid);
    return change == changes_.end() ? std::nullopt : change->second.after;
  }

  void Set(std::string_view uuid, std::optional<Hold> hold) {
    changes_.try_emplace(std::string(uuid)).first->second.after = hold;
  }

  // Does not wait for the database.
  void Write(iq::BatchContext& batch) const {
    std::vector<std::string_view> gone;
    std::vector<std::string_view> uuids;
    std::vector<std::int64_t> users;
    std::vector<std::int64_t> sums;
    for (const auto& [uuid, change] : changes_) {
      if (change.before == change.after) continue;
      if (change.before) gone.push_back(uuid);
      if (!change.after) continue;
      uuids.push_back(uuid);
      users.push_back(change.after->user);
      sums.push_back(change.after->sum);
    }
    if (!gone.empty()) batch.Execute(kDeleteHolds, gone);
    if (!uuids.empty()) batch.Execute(kInsertHolds, uuids, users, sums);
  }

 private:
  struct Change {
    std::optional<Hold> before;
    std::optional<Hold> after;
  };
  std::map<std::string, Change, std::less<>> changes_;
};

std::string UserText(const Order& order) { return "user " + std::to_string(order.user); }

// Why no money is held, given the hold of that uuid and the user's balance, if they are there.
iq::Reject LockRefusal(const Order& order, bool hold_exists, std::optional<std::int64_t> balance) {
  if (hold_exists) return {"hold_exists", "a hold of this uuid stands already"};
  if (!balance) return {"unknown_user", UserText(order) + " has no balance"};
  if (*balance < order.sum) {
    return {"insufficient_funds", "the balance of " + UserText(order) + " does not cover the sum"};
  }
  throw iq::Retry("balance_changed", "the balance of " + UserText(order) + " changed meanwhile");
}

// Why the hold of that uuid, if there is one, is not freed.
iq::Reject FreeRefusal(const Order& order, std::optional<Hold> hold, bool await_hold) {
  if (!hold || hold->user != order.user) {
    const std::string reason = UserText(order) + " has no hold of this uuid";
    if (await_hold) throw iq::Retry("unknown_hold", reason);
    return {"unknown_hold", reason};
  }
  if (hold->sum != order.sum) return {"sum_mismatch", "the hold is of another sum"};
  throw iq::Retry("hold_changed", "the hold changed meanwhile");
}

// Why the money of a hold is not given back, given the user's balance, if there is one.
iq::Reject CreditRefusal(const Order& order, std::optional<std::int64_t> balance) {
  if (!balance) return {"unknown_user", UserText(order) + " has no balance"};
  return {"balance_overflow", "the balance of " + UserText(order) + " would exceed 64 bits"};
}

class Lock {
 public:
  static constexpr std::string_view kType = "lock";
  static constexpr bool kBatchSharesKeys = true;
  static constexpr std::string_view kSchema = R"({
    "type": "object",
    "required": ["userId", "sum", "details"],
    "properties": {
      "type": {"const": "lock"},
      "userId": {"type": "integer", "minimum": 1},
      "sum": {"type": ["number", "string"], "pattern": "^[0-9]{1,40}(\\.[0-9]{1,3})?$"},
      "details": {
        "type": "object",
        "required": ["event", "uuid"],
        "properties": {
          "event": {"enum": ["lock", "withdraw", "unlock"]},
          "uuid": {"type": "string", "minLength": 1, "maxLength": 255}
        }
      }
    },
    "examples": [
      {"type": "lock", "userId": 2, "sum": 2, "details": {"event": "lock", "uuid": "id2"}},
      {"type": "lock", "userId": 2, "sum": 2, "details": {"event": "withdraw", "uuid": "id2"}},
      {"type": "lock", "userId": 2, "sum": 2, "details": {"event": "unlock", "uuid": "id2"}}
    ]
  })";
  static constexpr std::string_view kEvents = R"({
    "balance.lock": {
      "type": "object",
      "required": ["userId", "event", "uuid", "sum", "balance"],
      "properties": {
        "userId": {"type": "integer", "minimum": 1},
        "event": {"enum": ["lock", "withdraw", "unlock"]},
        "uuid": {"type": "string"},
        "sum": {"type": "integer", "minimum": 1, "description": "in thousandths"},
        "balance": {"type": ["integer", "null"], "minimum": 0,
                    "description": "afterwards, in thousandths; null where the account is gone"}
      }
    }
  })";

  explicit Lock(const iq::Host& host) : await_hold_(host.Flag("await_hold", false)) {}

  void Plan(const iq::Command& command, iq::Plan& plan) {
    const Order order(command);
    plan.Lock("user:", order.user);
    plan.Lock(HoldKey(order.uuid));
  }

  void Handle(const iq::Command& command, iq::Context& context) const {
    const Order order(command);
    std::optional<std::int64_t> balance;
    if (order.event == Event::kLock) {
      balance = HoldMoney(order, context);
    } else {
      balance = Free(order, AwaitsHold(command), context);
      if (order.event == Event::kUnlock) balance = GiveBack(order, context);
    }
    context.Execute(kLog, order.sum, order.user,
                    iq::Object({{"event", order.event_name()}, {"uuid", order.uuid}}).text());
    context.Emit("balance.lock", Data(order, balance).text());
  }

  // Takes balances before holds, and Handle a hold first: where others do without the users' locks,
  // the database may have to end one of them, which the host then runs again.
  void HandleBatch(std::span<const iq::Command> commands, iq::BatchContext& batch) const {
    const std::vector<Order> orders(commands.begin(), commands.end());
    std::vector<std::int64_t> users;
    std::vector<std::string_view> uuids;
    for (const Order& order : orders) {
      users.push_back(order.user);
      uuids.push_back(order.uuid);
    }
    billing::Balances balances(users, batch);
    Holds holds(uuids, batch);
    users.clear();
    uuids.clear();
    std::vector<std::int64_t> sums;
    std::vector<std::string_view> events;
    for (std::size_t i = 0; i < orders.size(); ++i) {
      const Order& order = orders[i];
      if (const auto refusal = Decide(order, AwaitsHold(commands[i]), balances, holds)) {
        batch.Reject(i, refusal->code(), refusal->what());
        continue;
      }
      users.push_back(order.user);
      sums.push_back(order.sum);
      events.push_back(order.event_name());
      uuids.push_back(order.uuid);
      batch.Emit(i, "balance.lock", Data(order, balances.Of(order.user)).text());
    }
    if (users.empty()) return;
    balances.Write(batch);
    holds.Write(batch);
    batch.Execute(kLogAll, users, sums, events, uuids);
  }

 private:
  static iq::Object Data(const Order& order, std::optional<std::int64_t> balance) {
    return iq::Object({{"userId", order.user},
                       {"event", order.event_name()},
                       {"uuid", order.uuid},
                       {"sum", order.sum},
                       {"balance", balance}});
  }

  bool AwaitsHold(const iq::Command& command) const {
    return await_hold_ && !command.last_attempt();
  }

  static std::optional<std::int64_t> Balance(const Order& order, iq::Context& context) {
    const auto row = context.QueryOne("SELECT sum FROM balance WHERE user_id = $1", order.user);
    return row ? std::optional(row->Integer(0)) : std::nullopt;
  }

  static std::optional<Hold> FindHold(const Order& order, iq::Context& context) {
    const auto row =
        context.QueryOne("SELECT user_id, sum FROM blocked_money WHERE uuid = $1", order.uuid);
    return row ? std::optional(Hold{row->Integer(0), row->Integer(1)}) : std::nullopt;
  }

  // The three below return the balance afterwards.
  static std::int64_t HoldMoney(const Order& order, iq::Context& context) {
    const auto row = context.QueryOne(kDebit, order.sum, order.user, order.uuid);
    if (!row) {
      throw LockRefusal(order, FindHold(order, context).has_value(), Balance(order, context));
    }
    context.Execute(kHold, order.sum, order.user, order.uuid);
    return row->Integer(0);
  }

  // Nothing where the account is gone: a capture does not need it.
  static std::optional<std::int64_t> Free(const Order& order, bool await_hold,
                                          iq::Context& context) {
    const auto row = context.QueryOne(kFree, order.sum, order.user, order.uuid);
    if (!row) throw FreeRefusal(order, FindHold(order, context), await_hold);
    return row->FindInteger(0);
  }

  static std::int64_t GiveBack(const Order& order, iq::Context& context) {
    const auto row = context.QueryOne(kCredit, order.sum, order.user);
    if (row) return row->Integer(0);
    throw CreditRefusal(order, Balance(order, context));
  }

  // Carries the order out on `balances` and `holds`, or says why not.
  static std::optional<iq::Reject> Decide(const Order& order, bool await_hold,
                                          billing::Balances& balances, Holds& holds) {
    const std::optional<std::int64_t> balance = balances.Of(order.user);
    const std::optional<Hold> hold = holds.Of(order.uuid);
    const Hold asked{order.user, order.sum};
    if (order.event == Event::kLock) {
      if (hold || !balance || *balance < order.sum) {
        return LockRefusal(order, hold.has_value(), balance);
      }
      balances.Set(order.user, *balance - order.sum);
      holds.Set(order.uuid, asked);
      return std::nullopt;
    }
    if (hold != asked) return FreeRefusal(order, hold, await_hold);
    if (order.event == Event::kUnlock) {
      if (!balance || *balance > INT64_MAX - order.sum) return CreditRefusal(order, balance);
      balances.Set(order.user, *balance + order.sum);
    }
    holds.Set(order.uuid, std::nullopt);
    return std::nullopt;
  }

  bool await_hold_;
};

}  // namespace

IQ_PLUGIN("lock", "1.0.0", Lock)
