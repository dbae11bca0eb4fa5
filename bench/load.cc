#include "bench/load.h"

#include <fmt/format.h>

namespace iq::bench {
namespace {

constexpr std::int64_t kThousandths = 1000;
constexpr std::int64_t kOpeningBalance = 1'000'000'000 * kThousandths;
constexpr std::int64_t kHeld = 1 * kThousandths;
// Squares modulo a prime look random: commands that are near each other meet the same user as often
// as chance has it, and each user has commands of every kind.
constexpr std::int64_t kPrime = 2'147'483'647;
constexpr std::int64_t kFactor = 1'103'515'245;

// The numbers from 0 up to, not including, $1, in both dialects.
constexpr const char* kNumbers =
    "WITH RECURSIVE number(i) AS (SELECT CAST(0 AS bigint) UNION ALL "
    "SELECT i + 1 FROM number WHERE i + 1 < CAST($1 AS bigint)) ";

std::int64_t SumOf(std::int64_t number) { return number % 5 + 1; }

}  // namespace

Load::Kind Load::KindOf(std::int64_t number) const {
  if (mix_ == Mix::kIncome) return Kind::kIncome;
  const std::int64_t part = number % 10;
  if (part < 4) return Kind::kIncome;
  if (part < 7) return Kind::kWithdraw;
  if (part < 9) return Kind::kTransfer;
  constexpr Kind kEvents[] = {Kind::kHold, Kind::kCapture, Kind::kRelease};
  return kEvents[number / 10 % 3];
}

std::int64_t Load::UserOf(std::int64_t number) const {
  return number * number % kPrime * kFactor % kPrime % users_ + 1;
}

std::int64_t Load::PayerOf(std::int64_t number) const {
  return (UserOf(number) - 1 + users_ / 2) % users_ + 1;
}

std::string Load::Body(std::int64_t number) const {
  const std::int64_t user = UserOf(number);
  const auto simple = [&](const char* type) {
    return fmt::format(R"({{"type":"{}","userId":{},"sum":{},"details":{{}}}})", type, user,
                       SumOf(number));
  };
  const auto lock = [&](const char* event) {
    return fmt::format(
        R"({{"type":"lock","userId":{},"sum":{},"details":{{"event":"{}","uuid":"hold-{}"}}}})",
        user, kHeld / kThousandths, event, number);
  };
  switch (KindOf(number)) {
    case Kind::kIncome:
      return simple("income");
    case Kind::kWithdraw:
      return simple("withdraw");
    case Kind::kTransfer:
      return fmt::format(
          R"({{"type":"transfer","userId":{},"sum":{},"details":{{"userFromId":{}}}}})", user,
          SumOf(number), PayerOf(number));
    case Kind::kHold:
      return lock("lock");
    case Kind::kCapture:
      return lock("withdraw");
    case Kind::kRelease:
      return lock("unlock");
  }
  return {};
}

void Load::Prepare(test::TestStore& store) const {
  store.Rows(std::string(kNumbers) +
                 "INSERT INTO balance (user_id, sum) SELECT i + 1, CAST($2 AS bigint) FROM number",
             {std::to_string(users_), std::to_string(kOpeningBalance)});
  if (mix_ == Mix::kMixed) {
    // As UserOf() and KindOf() have it.
    store.Rows(
        std::string(kNumbers) +
            fmt::format("INSERT INTO blocked_money (uuid, user_id, sum) "
                        "SELECT 'hold-' || i, i * i % {0} * {1} % {0} % {2} + 1, {3} FROM number "
                        "WHERE i % 10 = 9 AND i / 10 % 3 <> 0",
                        kPrime, kFactor, users_, kHeld),
        {std::to_string(commands_)});
  }
  store.Rows("ANALYZE");
}

std::vector<test::AmqpPublishing> Load::Commands(std::int64_t first, std::int64_t last) const {
  std::vector<test::AmqpPublishing> commands;
  commands.reserve(static_cast<std::size_t>(last - first));
  for (std::int64_t number = first; number < last; ++number) {
    test::AmqpPublishing& command = commands.emplace_back();
    command.exchange = "billing";
    command.body = Body(number);
    command.properties.message_id = fmt::format("bench-{}", number);
  }
  return commands;
}

std::vector<std::int64_t> Load::BalancesAfter() const {
  std::vector<std::int64_t> balances(static_cast<std::size_t>(users_), kOpeningBalance);
  const auto of = [&balances](std::int64_t user) -> std::int64_t& {
    return balances[static_cast<std::size_t>(user - 1)];
  };
  for (std::int64_t number = 0; number < commands_; ++number) {
    const std::int64_t sum = SumOf(number) * kThousandths;
    std::int64_t& balance = of(UserOf(number));
    switch (KindOf(number)) {
      case Kind::kIncome:
        balance += sum;
        break;
      case Kind::kWithdraw:
        balance -= sum;
        break;
      case Kind::kTransfer:
        balance += sum;
        of(PayerOf(number)) -= sum;
        break;
      case Kind::kHold:
        balance -= kHeld;
        break;
      case Kind::kCapture:
        break;
      case Kind::kRelease:
        balance += kHeld;
        break;
    }
  }
  return balances;
}

std::string Load::Fault(test::TestStore& store) const {
  const std::string commands = std::to_string(commands_);
  if (store.Value("SELECT count(*) FROM iq.journal WHERE outcome = 'done' "
                  "AND command_id LIKE 'bench-%'") != commands) {
    return "the journal has not one row for each command";
  }
  if (store.Value("SELECT count(*) FROM transaction_log") != commands) {
    return "the log has not one row for each command";
  }
  std::int64_t holds = 0;
  for (std::int64_t number = 0; number < commands_; ++number) {
    holds += KindOf(number) == Kind::kHold ? 1 : 0;
  }
  if (store.Value("SELECT count(*) FROM blocked_money") != std::to_string(holds)) {
    return "the holds are wrong";
  }
  const auto rows = store.Rows("SELECT user_id, sum FROM balance ORDER BY user_id");
  const auto balances = BalancesAfter();
  if (rows.size() != balances.size()) return "an account is missing";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].at(1) == std::to_string(balances[i])) continue;
    return fmt::format("user {} has {} and should have {}", rows[i].at(0), rows[i].at(1),
                       balances[i]);
  }
  return {};
}

}  // namespace iq::bench
