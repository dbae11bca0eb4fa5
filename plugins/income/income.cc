// `income`: credits a user's balance.
//
// The account must exist, unless the setting `open_accounts` is true. Amounts are in thousandths.
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

// The same for many: the place in the arrays and the new balance of each that was credited.
constexpr std::string_view kCreditAll = R"(
  WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS t(user_id, amount, i)
  ), credited AS (
    UPDATE balance AS b SET sum = b.sum + input.amount FROM input
    WHERE b.user_id = input.user_id AND b.sum <= 9223372036854775807 - input.amount
    RETURNING input.i, input.user_id, input.amount, b.sum
  ), logged AS (
    INSERT INTO transaction_log (type, sum, user_id, details)
    SELECT 1, amount, user_id, '{}'::jsonb FROM credited ORDER BY i
  )
  SELECT i - 1, sum FROM credited)";

constexpr std::string_view kOpenAll = R"(
  WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS t(user_id, amount, i)
  ), opened AS (
    INSERT INTO balance AS b (user_id, sum) SELECT user_id, amount FROM input
    ON CONFLICT (user_id) DO UPDATE SET sum = b.sum + excluded.sum
    WHERE b.sum <= 9223372036854775807 - excluded.sum
    RETURNING b.user_id, b.sum
  ), credited AS (
    SELECT input.i, user_id, input.amount, opened.sum FROM input JOIN opened USING (user_id)
  ), logged AS (
    INSERT INTO transaction_log (type, sum, user_id, details)
    SELECT 1, amount, user_id, '{}'::jsonb FROM credited ORDER BY i
  )
  SELECT i - 1, sum FROM credited)";

struct Credit {
  // Throws iq::Invalid for a sum that is not above zero.
  explicit Credit(const iq::Command& command)
      : user(command.Integer("userId")), sum(command.Decimal("sum", 3)) {
    if (sum <= 0) throw iq::Invalid("sum must be above zero");
  }

  std::int64_t user;
  std::int64_t sum;
};

// Why `credit` met no row, given the user's balance, if there is one.
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
    std::vector<std::int64_t> sums;
    for (const Credit& credit : credits) {
      users.push_back(credit.user);
      sums.push_back(credit.sum);
    }
    std::vector<std::optional<std::int64_t>> balances(credits.size());
    for (const iq::Row row : batch.Query(open_accounts_ ? kOpenAll : kCreditAll, users, sums)) {
      balances.at(static_cast<std::size_t>(row.Integer(0))) = row.Integer(1);
    }
    std::vector<std::size_t> refused;
    for (std::size_t i = 0; i < credits.size(); ++i) {
      if (!balances[i]) {
        refused.push_back(i);
        continue;
      }
      batch.Emit(i, "balance.income",
                 {{"userId", users[i]}, {"sum", sums[i]}, {"balance", *balances[i]}});
    }
    Refuse(refused, credits, batch);
  }

 private:
  static std::optional<std::int64_t> Balance(iq::Context& context, std::int64_t user) {
    const auto row = context.QueryOne("SELECT sum FROM balance WHERE user_id = $1", user);
    return row ? std::optional(row->Integer(0)) : std::nullopt;
  }

  static void Refuse(std::span<const std::size_t> refused, std::span<const Credit> credits,
                     iq::BatchContext& batch) {
    if (refused.empty()) return;
    std::vector<std::int64_t> users;
    for (const std::size_t i : refused) users.push_back(credits[i].user);
    std::unordered_map<std::int64_t, std::int64_t> balances;
    for (const iq::Row row :
         batch.Query("SELECT user_id, sum FROM balance WHERE user_id = ANY($1::bigint[])", users)) {
      balances.emplace(row.Integer(0), row.Integer(1));
    }
    for (const std::size_t i : refused) {
      const auto found = balances.find(credits[i].user);
      const auto refusal = Refusal(
          credits[i], found == balances.end() ? std::nullopt : std::optional(found->second));
      batch.Reject(i, refusal.code(), refusal.what());
    }
  }

  bool open_accounts_;
};

}  // namespace

IQ_PLUGIN("income", "1.0.0", Income)
