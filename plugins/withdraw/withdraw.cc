// `withdraw`: debits a user's balance, which must cover it. Amounts are in thousandths.
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

constexpr std::string_view kDebit = R"(
  UPDATE balance SET sum = sum - $1 WHERE user_id = $2 AND sum >= $1 RETURNING sum)";

constexpr std::string_view kLog =
    "INSERT INTO transaction_log (type, sum, user_id, details) VALUES (2, $1, $2, '{}')";

constexpr std::string_view kLogAll = R"(
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 2, debit.sum, user_id, '{}'
  FROM unnest($1::bigint[], $2::bigint[]) AS debit(user_id, sum))";

struct Debit {
  // Throws iq::Invalid for a sum that is not above zero.
  explicit Debit(const iq::Command& command)
      : user(command.Integer("userId")), sum(command.Decimal("sum", 3)) {
    if (sum <= 0) throw iq::Invalid("sum must be above zero");
  }

  std::int64_t user;
  std::int64_t sum;
};

// Why `debit` is refused, given the user's balance, if there is one.
iq::Reject Refusal(const Debit& debit, std::optional<std::int64_t> balance) {
  const std::string user = std::to_string(debit.user);
  if (!balance) return {"unknown_user", "user " + user + " has no balance"};
  if (*balance >= debit.sum) {
    throw iq::Retry("balance_changed", "the balance of user " + user + " changed meanwhile");
  }
  return {"insufficient_funds", "the balance of user " + user + " does not cover the sum"};
}

class Withdraw {
 public:
  static constexpr std::string_view kType = "withdraw";
  static constexpr bool kBatchSharesKeys = true;
  static constexpr std::string_view kSchema = R"({
    "type": "object",
    "required": ["userId", "sum"],
    "properties": {
      "type": {"const": "withdraw"},
      "userId": {"type": "integer", "minimum": 1},
      "sum": {"type": ["number", "string"], "pattern": "^[0-9]{1,40}(\\.[0-9]{1,3})?$"},
      "details": {"type": "object"}
    },
    "examples": [{"type": "withdraw", "userId": 2, "sum": 2, "details": {}}]
  })";
  static constexpr std::string_view kEvents = R"({
    "balance.withdraw": {
      "type": "object",
      "required": ["userId", "sum", "balance"],
      "properties": {
        "userId": {"type": "integer", "minimum": 1},
        "sum": {"type": "integer", "minimum": 1, "description": "in thousandths"},
        "balance": {"type": "integer", "minimum": 0, "description": "afterwards, in thousandths"}
      }
    }
  })";

  void Plan(const iq::Command& command, iq::Plan& plan) {
    const Debit debit(command);
    plan.Lock("user:", debit.user);
  }

  void Handle(const iq::Command& command, iq::Context& context) {
    const Debit debit(command);
    const auto row = context.QueryOne(kDebit, debit.sum, debit.user);
    if (!row) throw Refusal(debit, Balance(context, debit.user));
    context.Execute(kLog, debit.sum, debit.user);
    context.Emit("balance.withdraw",
                 {{"userId", debit.user}, {"sum", debit.sum}, {"balance", row->Integer(0)}});
  }

  void HandleBatch(std::span<const iq::Command> commands, iq::BatchContext& batch) {
    const std::vector<Debit> debits(commands.begin(), commands.end());
    std::vector<std::int64_t> users;
    users.reserve(debits.size());
    for (const Debit& debit : debits) users.push_back(debit.user);
    billing::Balances balances(users, batch);
    users.clear();
    std::vector<std::int64_t> sums;
    for (std::size_t i = 0; i < debits.size(); ++i) {
      const auto [user, sum] = debits[i];
      const std::optional<std::int64_t> before = balances.Of(user);
      if (!before || *before < sum) {
        const iq::Reject refusal = Refusal(debits[i], before);
        batch.Reject(i, refusal.code(), refusal.what());
        continue;
      }
      const std::int64_t after = *before - sum;
      balances.Set(user, after);
      users.push_back(user);
      sums.push_back(sum);
      batch.Emit(i, "balance.withdraw", {{"userId", user}, {"sum", sum}, {"balance", after}});
    }
    if (users.empty()) return;
    balances.Write(batch);
    batch.Execute(kLogAll, users, sums);
  }

 private:
  static std::optional<std::int64_t> Balance(iq::Context& context, std::int64_t user) {
    const auto row = context.QueryOne("SELECT sum FROM balance WHERE user_id = $1", user);
    return row ? std::optional(row->Integer(0)) : std::nullopt;
  }
};

}  // namespace

IQ_PLUGIN("withdraw", "1.0.0", Withdraw)
