// `lock`: holds money, captures a hold, or gives it back. Amounts are in thousandths.
//
// A capture or release may overtake its hold in the queue; with the setting `await_hold: true` an
// unknown hold is tried again before it is refused.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <iq/plugin.h>

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

// The same for many. Each gives the place in the arrays, the balance afterwards, and whether the
// command was carried out in full.
constexpr std::string_view kLockAll = R"(
  WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])
    WITH ORDINALITY AS t(amount, user_id, uuid, i)
  ), done AS (
    UPDATE balance AS b SET sum = b.sum - input.amount FROM input
    WHERE b.user_id = input.user_id AND b.sum >= input.amount
      AND NOT EXISTS (SELECT 1 FROM blocked_money AS h WHERE h.uuid = input.uuid)
    RETURNING input.i, input.user_id, input.amount, input.uuid, b.sum
  ), held AS (
    INSERT INTO blocked_money (uuid, user_id, sum) SELECT uuid, user_id, amount FROM done
  ), logged AS (
    INSERT INTO transaction_log (type, sum, user_id, details)
    SELECT 3, amount, user_id, jsonb_build_object('event', 'lock', 'uuid', uuid)
    FROM done ORDER BY i
  )
  SELECT i - 1, sum, true FROM done)";

constexpr std::string_view kWithdrawAll = R"(
  WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])
    WITH ORDINALITY AS t(amount, user_id, uuid, i)
  ), done AS (
    DELETE FROM blocked_money AS h USING input
    WHERE h.uuid = input.uuid AND h.user_id = input.user_id AND h.sum = input.amount
    RETURNING input.i, input.user_id, input.amount, input.uuid
  ), logged AS (
    INSERT INTO transaction_log (type, sum, user_id, details)
    SELECT 3, amount, user_id, jsonb_build_object('event', 'withdraw', 'uuid', uuid)
    FROM done ORDER BY i
  )
  SELECT done.i - 1, b.sum, true FROM done LEFT JOIN balance AS b ON b.user_id = done.user_id)";

constexpr std::string_view kUnlockAll = R"(
  WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])
    WITH ORDINALITY AS t(amount, user_id, uuid, i)
  ), freed AS (
    DELETE FROM blocked_money AS h USING input
    WHERE h.uuid = input.uuid AND h.user_id = input.user_id AND h.sum = input.amount
    RETURNING input.i, input.user_id, input.amount, input.uuid
  ), done AS (
    UPDATE balance AS b SET sum = b.sum + freed.amount FROM freed
    WHERE b.user_id = freed.user_id AND b.sum <= 9223372036854775807 - freed.amount
    RETURNING freed.i, freed.user_id, freed.amount, freed.uuid, b.sum
  ), logged AS (
    INSERT INTO transaction_log (type, sum, user_id, details)
    SELECT 3, amount, user_id, jsonb_build_object('event', 'unlock', 'uuid', uuid)
    FROM done ORDER BY i
  )
  SELECT freed.i - 1, done.sum, done.i IS NOT NULL FROM freed LEFT JOIN done ON done.i = freed.i)";

constexpr std::array<std::string_view, 3> kStatementsForAll{kLockAll, kWithdrawAll, kUnlockAll};

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
};

std::string UserText(const Order& order) { return "user " + std::to_string(order.user); }

// Why no money could be held, given the hold of that uuid and the user's balance, if they are
// there.
iq::Reject LockRefusal(const Order& order, bool hold_exists, std::optional<std::int64_t> balance) {
  if (hold_exists) return {"hold_exists", "a hold of this uuid stands already"};
  if (!balance) return {"unknown_user", UserText(order) + " has no balance"};
  if (*balance < order.sum) {
    return {"insufficient_funds", "the balance of " + UserText(order) + " does not cover the sum"};
  }
  throw iq::Retry("balance_changed", "the balance of " + UserText(order) + " changed meanwhile");
}

// Why no hold was met, given the one of that uuid, if there is one.
iq::Reject FreeRefusal(const Order& order, std::optional<Hold> hold, bool await_hold) {
  if (!hold || hold->user != order.user) {
    const std::string reason = UserText(order) + " has no hold of this uuid";
    if (await_hold) throw iq::Retry("unknown_hold", reason);
    return {"unknown_hold", reason};
  }
  if (hold->sum != order.sum) return {"sum_mismatch", "the hold is of another sum"};
  throw iq::Retry("hold_changed", "the hold changed meanwhile");
}

class Lock {
 public:
  static constexpr std::string_view kType = "lock";
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

  // One statement for each event that occurs. Keys are disjoint, so the order does not matter.
  void HandleBatch(std::span<const iq::Command> commands, iq::BatchContext& batch) const {
    const std::vector<Order> orders(commands.begin(), commands.end());
    for (const Event event : {Event::kLock, Event::kWithdraw, Event::kUnlock}) {
      std::vector<std::size_t> group;
      for (std::size_t i = 0; i < orders.size(); ++i) {
        if (orders[i].event == event) group.push_back(i);
      }
      if (group.empty()) continue;
      const std::vector<std::size_t> refused = Run(event, group, orders, batch);
      if (!refused.empty()) Refuse(refused, orders, commands, batch);
    }
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
    if (!Balance(order, context)) {
      throw iq::Reject("unknown_user", UserText(order) + " has no balance");
    }
    throw iq::Reject("balance_overflow",
                     "the balance of " + UserText(order) + " would exceed 64 bits");
  }

  // Carries out the orders of `group`, and returns those for which nothing was written.
  static std::vector<std::size_t> Run(Event event, std::span<const std::size_t> group,
                                      std::span<const Order> orders, iq::BatchContext& batch) {
    std::vector<std::int64_t> sums;
    std::vector<std::int64_t> users;
    std::vector<std::string_view> uuids;
    for (const std::size_t i : group) {
      sums.push_back(orders[i].sum);
      users.push_back(orders[i].user);
      uuids.push_back(orders[i].uuid);
    }
    std::vector<bool> done(group.size());
    std::vector<std::optional<std::int64_t>> balances(group.size());
    const auto statement = kStatementsForAll[static_cast<std::size_t>(event)];
    for (const iq::Row row : batch.Query(statement, sums, users, uuids)) {
      if (!row.Bool(2)) batch.Discard();
      const auto place = static_cast<std::size_t>(row.Integer(0));
      done.at(place) = true;
      balances.at(place) = row.FindInteger(1);
    }
    std::vector<std::size_t> rest;
    for (std::size_t place = 0; place < group.size(); ++place) {
      const std::size_t i = group[place];
      if (done[place]) {
        batch.Emit(i, "balance.lock", Data(orders[i], balances[place]).text());
      } else {
        rest.push_back(i);
      }
    }
    return rest;
  }

  void Refuse(std::span<const std::size_t> refused, std::span<const Order> orders,
              std::span<const iq::Command> commands, iq::BatchContext& batch) const {
    std::vector<std::int64_t> users;
    std::vector<std::string_view> uuids;
    for (const std::size_t i : refused) {
      users.push_back(orders[i].user);
      uuids.push_back(orders[i].uuid);
    }
    std::unordered_map<std::int64_t, std::int64_t> balances;
    for (const iq::Row row :
         batch.Query("SELECT user_id, sum FROM balance WHERE user_id = ANY($1::bigint[])", users)) {
      balances.emplace(row.Integer(0), row.Integer(1));
    }
    std::unordered_map<std::string_view, Hold> holds;
    for (const iq::Row row : batch.Query(
             "SELECT uuid, user_id, sum FROM blocked_money WHERE uuid = ANY($1::text[])", uuids)) {
      holds.emplace(row.Text(0), Hold{row.Integer(1), row.Integer(2)});
    }
    for (const std::size_t i : refused) {
      const auto balance = balances.find(orders[i].user);
      const auto hold = holds.find(orders[i].uuid);
      const bool stands = hold != holds.end();
      const iq::Reject refusal =
          orders[i].event == Event::kLock
              ? LockRefusal(
                    orders[i], stands,
                    balance == balances.end() ? std::nullopt : std::optional(balance->second))
              : FreeRefusal(orders[i], stands ? std::optional(hold->second) : std::nullopt,
                            AwaitsHold(commands[i]));
      batch.Reject(i, refusal.code(), refusal.what());
    }
  }

  bool await_hold_;
};

}  // namespace

IQ_PLUGIN("lock", "1.0.0", Lock)
