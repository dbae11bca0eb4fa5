// `transfer`: moves money from `details.userFromId` to `userId`; both balances change, or neither.
// Amounts are in thousandths.
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

// $1 pays $3 to $2. The last condition looks at both rows as the statement found them when it
// began; the one before it judges each row as it is when it is written. Where those differ, because
// somebody wrote without holding the users' locks, one row comes back instead of two.
constexpr std::string_view kMove = R"(
  UPDATE balance SET sum = CASE WHEN user_id = $1 THEN sum - $3 ELSE sum + $3 END
  WHERE (user_id = $1 OR user_id = $2)
    AND CASE WHEN user_id = $1 THEN sum >= $3 ELSE sum <= 9223372036854775807 - $3 END
    AND 2 = (SELECT count(*) FROM balance
             WHERE (user_id = $1 AND sum >= $3)
                OR (user_id = $2 AND sum <= 9223372036854775807 - $3))
  RETURNING user_id, sum)";

constexpr std::string_view kLog =
    "INSERT INTO transaction_log (type, sum, user_id, details) VALUES (4, $1, $2, $3)";

// The same for many: for each that fits, the place in the arrays, whether this is the receiver's
// row, and its new balance.
constexpr std::string_view kMoveAll = R"(
  WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
    WITH ORDINALITY AS t(payer, receiver, amount, i)
  ), fit AS (
    SELECT input.* FROM input
    JOIN balance AS p ON p.user_id = input.payer AND p.sum >= input.amount
    JOIN balance AS r ON r.user_id = input.receiver AND r.sum <= 9223372036854775807 - input.amount
    WHERE input.payer <> input.receiver
  ), leg AS (
    SELECT fit.*, payer AS user_id, false AS credit FROM fit
    UNION ALL SELECT fit.*, receiver, true FROM fit
  ), moved AS (
    UPDATE balance AS b
    SET sum = CASE WHEN leg.credit THEN b.sum + leg.amount ELSE b.sum - leg.amount END
    FROM leg
    WHERE b.user_id = leg.user_id
      AND CASE WHEN leg.credit THEN b.sum <= 9223372036854775807 - leg.amount
               ELSE b.sum >= leg.amount END
    RETURNING leg.i, leg.payer, leg.receiver, leg.amount, leg.credit, b.sum
  ), logged AS (
    INSERT INTO transaction_log (type, sum, user_id, details)
    SELECT 4, amount, receiver, jsonb_build_object('user_from_id', payer)
    FROM moved WHERE credit ORDER BY i
  )
  SELECT i - 1, credit, sum FROM moved)";

struct Transfer {
  // Throws iq::Invalid for a sum that is not above zero.
  explicit Transfer(const iq::Command& command)
      : payer(command.Integer("details.userFromId")),
        receiver(command.Integer("userId")),
        sum(command.Decimal("sum", 3)) {
    if (sum <= 0) throw iq::Invalid("sum must be above zero");
  }

  std::int64_t payer;
  std::int64_t receiver;
  std::int64_t sum;
};

// What is, or becomes, of the two balances.
struct Balances {
  std::optional<std::int64_t> payer;
  std::optional<std::int64_t> receiver;
};

bool SameUser(const Transfer& transfer) { return transfer.payer == transfer.receiver; }

// Why `transfer` met no row, given the balances that there are.
iq::Reject Refusal(const Transfer& transfer, const Balances& balances) {
  const std::string payer = std::to_string(transfer.payer);
  const std::string receiver = std::to_string(transfer.receiver);
  if (SameUser(transfer)) return {"same_user", "user " + payer + " is both payer and receiver"};
  if (!balances.payer) return {"unknown_user", "the payer, user " + payer + ", has no balance"};
  if (!balances.receiver) {
    return {"unknown_user", "the receiver, user " + receiver + ", has no balance"};
  }
  if (*balances.payer < transfer.sum) {
    return {"insufficient_funds", "the balance of user " + payer + " does not cover the sum"};
  }
  if (*balances.receiver > INT64_MAX - transfer.sum) {
    return {"balance_overflow", "the balance of user " + receiver + " would exceed 64 bits"};
  }
  throw iq::Retry("balance_changed",
                  "a balance of users " + payer + " and " + receiver + " changed meanwhile");
}

class TransferHandler {
 public:
  static constexpr std::string_view kType = "transfer";
  static constexpr std::string_view kSchema = R"({
    "type": "object",
    "required": ["userId", "sum", "details"],
    "properties": {
      "type": {"const": "transfer"},
      "userId": {"type": "integer", "minimum": 1},
      "sum": {"type": ["number", "string"], "pattern": "^[0-9]{1,40}(\\.[0-9]{1,3})?$"},
      "details": {
        "type": "object",
        "required": ["userFromId"],
        "properties": {"userFromId": {"type": "integer", "minimum": 1}}
      }
    },
    "examples": [{"type": "transfer", "userId": 2, "sum": 5, "details": {"userFromId": 3}}]
  })";
  static constexpr std::string_view kEvents = R"({
    "balance.transfer": {
      "type": "object",
      "required": ["userId", "userFromId", "sum", "balance", "balanceFrom"],
      "properties": {
        "userId": {"type": "integer", "minimum": 1},
        "userFromId": {"type": "integer", "minimum": 1},
        "sum": {"type": "integer", "minimum": 1, "description": "in thousandths"},
        "balance": {"type": "integer", "minimum": 0,
                    "description": "of userId afterwards, in thousandths"},
        "balanceFrom": {"type": "integer", "minimum": 0,
                        "description": "of userFromId afterwards, in thousandths"}
      }
    }
  })";

  void Plan(const iq::Command& command, iq::Plan& plan) {
    const Transfer transfer(command);
    plan.Lock("user:", transfer.payer);
    plan.Lock("user:", transfer.receiver);
  }

  void Handle(const iq::Command& command, iq::Context& context) {
    const Transfer transfer(command);
    if (SameUser(transfer)) throw Refusal(transfer, {});
    Balances after;
    for (const iq::Row row :
         context.Query(kMove, transfer.payer, transfer.receiver, transfer.sum)) {
      (row.Integer(0) == transfer.payer ? after.payer : after.receiver) = row.Integer(1);
    }
    if (!after.payer && !after.receiver) throw Refusal(transfer, Look(transfer, context));
    if (!after.payer || !after.receiver) {
      throw iq::Retry("balance_changed", "a balance changed while it was transferred");
    }
    context.Execute(kLog, transfer.sum, transfer.receiver,
                    iq::Object({{"user_from_id", transfer.payer}}).text());
    context.Emit("balance.transfer", {{"userId", transfer.receiver},
                                      {"userFromId", transfer.payer},
                                      {"sum", transfer.sum},
                                      {"balance", after.receiver},
                                      {"balanceFrom", after.payer}});
  }

  void HandleBatch(std::span<const iq::Command> commands, iq::BatchContext& batch) {
    const std::vector<Transfer> transfers(commands.begin(), commands.end());
    const std::vector<Balances> after = Move(transfers, batch);
    std::vector<std::size_t> refused;
    for (std::size_t i = 0; i < transfers.size(); ++i) {
      if (after[i].payer.has_value() != after[i].receiver.has_value()) batch.Discard();
      if (!after[i].payer) {
        refused.push_back(i);
        continue;
      }
      batch.Emit(i, "balance.transfer",
                 {{"userId", transfers[i].receiver},
                  {"userFromId", transfers[i].payer},
                  {"sum", transfers[i].sum},
                  {"balance", after[i].receiver},
                  {"balanceFrom", after[i].payer}});
    }
    Refuse(refused, transfers, batch);
  }

 private:
  static Balances Look(const Transfer& transfer, iq::Context& context) {
    Balances balances;
    for (const iq::Row row :
         context.Query("SELECT user_id, sum FROM balance WHERE user_id = $1 OR user_id = $2",
                       transfer.payer, transfer.receiver)) {
      (row.Integer(0) == transfer.payer ? balances.payer : balances.receiver) = row.Integer(1);
    }
    return balances;
  }

  static std::vector<Balances> Move(std::span<const Transfer> transfers, iq::BatchContext& batch) {
    std::vector<std::int64_t> payers;
    std::vector<std::int64_t> receivers;
    std::vector<std::int64_t> sums;
    for (const Transfer& transfer : transfers) {
      payers.push_back(transfer.payer);
      receivers.push_back(transfer.receiver);
      sums.push_back(transfer.sum);
    }
    std::vector<Balances> after(transfers.size());
    for (const iq::Row row : batch.Query(kMoveAll, payers, receivers, sums)) {
      Balances& balances = after.at(static_cast<std::size_t>(row.Integer(0)));
      (row.Bool(1) ? balances.receiver : balances.payer) = row.Integer(2);
    }
    return after;
  }

  static void Refuse(std::span<const std::size_t> refused, std::span<const Transfer> transfers,
                     iq::BatchContext& batch) {
    if (refused.empty()) return;
    std::vector<std::int64_t> users;
    for (const std::size_t i : refused) {
      users.push_back(transfers[i].payer);
      users.push_back(transfers[i].receiver);
    }
    std::unordered_map<std::int64_t, std::int64_t> known;
    for (const iq::Row row :
         batch.Query("SELECT user_id, sum FROM balance WHERE user_id = ANY($1::bigint[])", users)) {
      known.emplace(row.Integer(0), row.Integer(1));
    }
    const auto balance = [&known](std::int64_t user) {
      const auto found = known.find(user);
      return found == known.end() ? std::nullopt : std::optional(found->second);
    };
    for (const std::size_t i : refused) {
      const auto refusal =
          Refusal(transfers[i], {balance(transfers[i].payer), balance(transfers[i].receiver)});
      batch.Reject(i, refusal.code(), refusal.what());
    }
  }
};

}  // namespace

IQ_PLUGIN("transfer", "1.0.0", TransferHandler)
