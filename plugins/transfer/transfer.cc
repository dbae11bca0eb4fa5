// `transfer`: moves money from `details.userFromId` to `userId`; both balances change, or neither.
// Amounts are in thousandths.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <iq/plugin.h>

#include "billing/balances.h"

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

constexpr std::string_view kLogAll = R"(
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 4, transfer.sum, receiver, jsonb_build_object('user_from_id', payer)
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS transfer(payer, receiver, sum))";

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
struct BothBalances {
  std::optional<std::int64_t> payer;
  std::optional<std::int64_t> receiver;
};

bool SameUser(const Transfer& transfer) { return transfer.payer == transfer.receiver; }

bool Fits(const Transfer& transfer, const BothBalances& balances) {
  return !SameUser(transfer) && balances.payer && *balances.payer >= transfer.sum &&
         balances.receiver && *balances.receiver <= INT64_MAX - transfer.sum;
}

// Why `transfer` is refused, given the balances that there are.
iq::Reject Refusal(const Transfer& transfer, const BothBalances& balances) {
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
  static constexpr bool kBatchSharesKeys = true;
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
    BothBalances after;
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
    context.Emit("balance.transfer", Data(transfer, after).text());
  }

  void HandleBatch(std::span<const iq::Command> commands, iq::BatchContext& batch) {
    const std::vector<Transfer> transfers(commands.begin(), commands.end());
    std::vector<std::int64_t> users;
    for (const Transfer& transfer : transfers) {
      users.push_back(transfer.payer);
      users.push_back(transfer.receiver);
    }
    billing::Balances balances(users, batch);
    std::vector<std::int64_t> payers;
    std::vector<std::int64_t> receivers;
    std::vector<std::int64_t> sums;
    for (std::size_t i = 0; i < transfers.size(); ++i) {
      const auto [payer, receiver, sum] = transfers[i];
      const BothBalances before{balances.Of(payer), balances.Of(receiver)};
      if (!Fits(transfers[i], before)) {
        const iq::Reject refusal = Refusal(transfers[i], before);
        batch.Reject(i, refusal.code(), refusal.what());
        continue;
      }
      const BothBalances after{*before.payer - sum, *before.receiver + sum};
      balances.Set(payer, *after.payer);
      balances.Set(receiver, *after.receiver);
      payers.push_back(payer);
      receivers.push_back(receiver);
      sums.push_back(sum);
      batch.Emit(i, "balance.transfer", Data(transfers[i], after).text());
    }
    if (sums.empty()) return;
    balances.Write(batch);
    batch.Execute(kLogAll, payers, receivers, sums);
  }

 private:
  static iq::Object Data(const Transfer& transfer, const BothBalances& after) {
    return iq::Object({{"userId", transfer.receiver},
                       {"userFromId", transfer.payer},
                       {"sum", transfer.sum},
                       {"balance", after.receiver},
                       {"balanceFrom", after.payer}});
  }

  static BothBalances Look(const Transfer& transfer, iq::Context& context) {
    BothBalances balances;
    for (const iq::Row row :
         context.Query("SELECT user_id, sum FROM balance WHERE user_id = $1 OR user_id = $2",
                       transfer.payer, transfer.receiver)) {
      (row.Integer(0) == transfer.payer ? balances.payer : balances.receiver) = row.Integer(1);
    }
    return balances;
  }
};

}  // namespace

IQ_PLUGIN("transfer", "1.0.0", TransferHandler)
