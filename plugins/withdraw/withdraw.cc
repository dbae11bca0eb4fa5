// `withdraw`: debits a user's balance, which must cover it. Amounts are in thousandths.
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

constexpr std::string_view kDebit = R"(
  UPDATE balance SET sum = sum - $1 WHERE user_id = $2 AND sum >= $1 RETURNING sum)";

constexpr std::string_view kLog =
    "INSERT INTO transaction_log (type, sum, user_id, details) VALUES (2, $1, $2, '{}')";

// The same for many: the place in the arrays and the new balance of each that was debited.
constexpr std::string_view kDebitAll = R"(
  WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS t(user_id, amount, i)
  ), debited AS (
    UPDATE balance AS b SET sum = b.sum - input.amount FROM input
    WHERE b.user_id = input.user_id AND b.sum >= input.amount
    RETURNING input.i, input.user_id, input.amount, b.sum
  ), logged AS (
    INSERT INTO transaction_log (type, sum, user_id, details)
    SELECT 2, amount, user_id, '{}'::jsonb FROM debited ORDER BY i
  )
  SELECT i - 1, sum FROM debited)";

struct Debit {
  // Throws iq::Invalid for a sum that is not above zero.
  explicit Debit(const iq::Command& command)
      : user(command.Integer("userId")), sum(command.Decimal("sum", 3)) {
    if (sum <= 0) throw iq::Invalid("sum must be above zero");
  }

  std::int64_t user;
  std::int64_t sum;
};

// Why `debit` met no row, given the user's balance, if there is one.
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
    std::vector<std::int64_t> sums;
    for (const Debit& debit : debits) {
      users.push_back(debit.user);
      sums.push_back(debit.sum);
    }
    std::vector<std::optional<std::int64_t>> balances(debits.size());
    for (const iq::Row row : batch.Query(kDebitAll, users, sums)) {
      balances.at(static_cast<std::size_t>(row.Integer(0))) = row.Integer(1);
    }
    std::vector<std::size_t> refused;
    for (std::size_t i = 0; i < debits.size(); ++i) {
      if (!balances[i]) {
        refused.push_back(i);
        continue;
      }
      batch.Emit(i, "balance.withdraw",
                 {{"userId", users[i]}, {"sum", sums[i]}, {"balance", *balances[i]}});
    }
    Refuse(refused, debits, batch);
  }

 private:
  static std::optional<std::int64_t> Balance(iq::Context& context, std::int64_t user) {
    const auto row = context.QueryOne("SELECT sum FROM balance WHERE user_id = $1", user);
    return row ? std::optional(row->Integer(0)) : std::nullopt;
  }

  static void Refuse(std::span<const std::size_t> refused, std::span<const Debit> debits,
                     iq::BatchContext& batch) {
    if (refused.empty()) return;
    std::vector<std::int64_t> users;
    for (const std::size_t i : refused) users.push_back(debits[i].user);
    std::unordered_map<std::int64_t, std::int64_t> balances;
    for (const iq::Row row :
         batch.Query("SELECT user_id, sum FROM balance WHERE user_id = ANY($1::bigint[])", users)) {
      balances.emplace(row.Integer(0), row.Integer(1));
    }
    for (const std::size_t i : refused) {
      const auto found = balances.find(debits[i].user);
      const auto refusal =
          Refusal(debits[i], found == balances.end() ? std::nullopt : std::optional(found->second));
      batch.Reject(i, refusal.code(), refusal.what());
    }
  }
};

}  // namespace

IQ_PLUGIN("withdraw", "1.0.0", Withdraw)
