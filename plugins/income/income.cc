// `income`: credits a user's balance.
//
// The account must exist, unless the setting `open_accounts` is true. Amounts are in thousandths.
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

constexpr std::string_view kCredit = R"(
  UPDATE balance SET sum = sum + $1
  WHERE user_id = $2 AND sum <= 9223372036854775807 - $1
  RETURNING sum)";

constexpr std::string_view kOpen = R"(
  INSERT INTO balance AS b (user_id, sum) VALUES ($2, $1)
  ON CONFLICT (user_id) DO UPDATE SET sum = b.sum + excluded.sum
  WHERE b.sum <= 9223372036854775807 - excluded.sum
  RETURNING sum)";

constexpr std::string_view kLog =
    "INSERT INTO transaction_log (type, sum, user_id, details) VALUES (1, $1, $2, '{}')";

constexpr std::string_view kLogAll = R"(
  INSERT INTO transaction_log (type, sum, user_id, details)
  SELECT 1, credit.sum, user_id, '{}'
  FROM unnest($1::bigint[], $2::bigint[]) AS credit(user_id, sum))";

struct Credit {
  // Throws iq::Invalid for a sum that is not above zero.
  explicit Credit(const iq::Command& command)
      : user(command.Integer("userId")), sum(command.Decimal("sum", 3)) {
    if (sum <= 0) throw iq::Invalid("sum must be above zero");
  }

  std::int64_t user;
  std::int64_t sum;
};

// Why `credit` is refused, given the user's balance, if there is one.
iq::Reject Refusal(const Credit& credit, std::optional<std::int64_t> balance) {
  const std::string user = std::to_string(credit.user);
  if (!balance) return {"unknown_user", "user " + user + " has no balance"};
  if (*balance <= INT64_MAX - credit.sum) {
    throw iq::Retry("balance_changed", "the balance of user " + user + " changed meanwhile");
  }
  return {"balance_overflow", "the balance of user " + user + " would exceed 64 bits"};
}

class Income {
 public:
  static constexpr std::string_view kType = "income";
  static constexpr bool kBatchSharesKeys = true;
  static constexpr std::string_view kSchema = R"({
    "type": "object",
    "required": ["userId", "sum"],
    "properties": {
      "type": {"const": "income"},
      "userId": {"type": "integer", "minimum": 1},
      "sum": {"type": ["number", "string"], "pattern": "^[0-9]{1,40}(\\.[0-9]{1,3})?$"},
      "details": {"type": "object"}
    },
    "examples": [{"type": "income", "userId": 2, "sum": 1, "details": {}},
                 {"type": "income", "userId": 2, "sum": "12.345"}]
  })";
  static constexpr std::string_view kEvents = R"({
    "balance.income": {
      "type": "object",
      "required": ["userId", "sum", "balance"],
      "properties": {
        "userId": {"type": "integer", "minimum": 1},
        "sum": {"type": "integer", "minimum": 1, "description": "in thousandths"},
        "balance": {"type": "integer", "minimum": 0, "description": "afterwards, in thousandths"}
      }
    }
  })";

  explicit Income(const iq::Host& host) : open_accounts_(host.Flag("open_accounts", false)) {}

  void Plan(const iq::Command& command, iq::Plan& plan) {
    const Credit credit(command);
    plan.Lock("user:", credit.user);
  }

  void Handle(const iq::Command& command, iq::Context& context) const {
    const Credit credit(command);
    const auto row = context.QueryOne(open_accounts_ ? kOpen : kCredit, credit.sum, credit.user);
    if (!row) throw Refusal(credit, Balance(context, credit.user));
    context.Execute(kLog, credit.sum, credit.user);
    context.Emit("balance.income",
                 {{"userId", credit.user}, {"sum", credit.sum}, {"balance", row->Integer(0)}});
  }

  void HandleBatch(std::span<const iq::Command> commands, iq::BatchContext& batch) const {
    const std::vector<Credit> credits(commands.begin(), commands.end());
    std::vector<std::int64_t> users;
    users.reserve(credits.size());
    for (const Credit& credit : credits) users.push_back(credit.user);
    billing::Balances balances(users, batch);
    users.clear();
    std::vector<std::int64_t> sums;
    for (std::size_t i = 0; i < credits.size(); ++i) {
      const auto [user, sum] = credits[i];
      const std::optional<std::int64_t> before = balances.Of(user);
      const bool known = before || open_accounts_;
      if (!known || before.value_or(0) > INT64_MAX - sum) {
        const iq::Reject refusal = Refusal(credits[i], before);
        batch.Reject(i, refusal.code(), refusal.what());
        continue;
      }
      const std::int64_t after = before.value_or(0) + sum;
      balances.Set(user, after);
      users.push_back(user);
      sums.push_back(sum);
      batch.Emit(i, "balance.income", {{"userId", user}, {"sum", sum}, {"balance", after}});
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

  bool open_accounts_;
};

}  // namespace

IQ_PLUGIN("income", "1.0.0", Income)
