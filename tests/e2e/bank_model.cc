#include "tests/e2e/bank_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "tests/e2e/commands.h"

namespace iq::test {
namespace {

constexpr std::int64_t kHotUsers = 8;
constexpr std::int64_t kColdUsers = 1000;
constexpr std::int64_t kFirstHot = 1;
constexpr std::int64_t kFirstCold = 1001;
constexpr std::int64_t kNobody = 999'999;
constexpr std::int64_t kHotBalance = 2'000'000;
constexpr std::int64_t kColdBalance = 20'000;
constexpr std::int64_t kSumMax = 10'000;
constexpr std::int64_t kTooMuch = 1'000'000'000'000;  // More than all accounts together ever hold.

std::string Units(std::int64_t thousandths) {
  return fmt::format("{}.{:03}", thousandths / 1000, thousandths % 1000);
}

void WriteBody(BankCommand& command) {
  std::string details = command.sum % 2 == 0 ? "{}" : "[]";
  if (command.payer != 0) details = fmt::format(R"({{"userFromId":{}}})", command.payer);
  if (!command.hold.empty()) details = HoldDetails(command.event, command.hold);
  command.body = Body(command.type, command.user, Units(command.sum), details);
}

}  // namespace

BankModel::BankModel(std::uint64_t seed) : random_(seed) {
  for (std::int64_t i = 0; i < kHotUsers; ++i) accounts_[kFirstHot + i] = kHotBalance;
  for (std::int64_t i = 0; i < kColdUsers; ++i) accounts_[kFirstCold + i] = kColdBalance;
}

std::vector<AmqpPublishing> BankModel::Next(std::size_t count) {
  constexpr int kRepeatedPercent = 5;
  std::vector<AmqpPublishing> publishings;
  publishings.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    BankCommand command = Draw();
    command.id = Uuid();
    AmqpPublishing publishing{"billing", "", command.body, {}};
    publishing.properties.message_id = command.id;
    publishings.push_back(publishing);
    if (Chance(kRepeatedPercent)) to_repeat_.push_back(std::move(publishing));
    if (!to_repeat_.empty() && Chance(kRepeatedPercent)) {
      std::swap(to_repeat_[random_() % to_repeat_.size()], to_repeat_.back());
      publishings.push_back(std::move(to_repeat_.back()));
      to_repeat_.pop_back();
    }
    if (command.valid) ++valid_count_;
    commands_.emplace(command.id, std::move(command));
  }
  return publishings;
}

bool BankModel::Chance(int percent) { return Between(1, 100) <= percent; }

std::int64_t BankModel::Between(std::int64_t least, std::int64_t most) {
  return std::uniform_int_distribution<std::int64_t>(least, most)(random_);
}

std::string BankModel::Uuid() {
  const std::uint64_t high = random_();
  const std::uint64_t low = random_();
  return fmt::format("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", high >> 32U, (high >> 16U) & 0xFFFFU,
                     high & 0xFFFU, low >> 52U, low & 0xFFFF'FFFF'FFFFU);
}

std::int64_t BankModel::AnyUser() {
  constexpr int kHotPercent = 50;
  return Chance(kHotPercent) ? Between(kFirstHot, kFirstHot + kHotUsers - 1)
                             : Between(kFirstCold, kFirstCold + kColdUsers - 1);
}

BankCommand BankModel::Draw() {
  constexpr int kNonsensePercent = 1;
  if (Chance(kNonsensePercent)) return Nonsense();
  const std::int64_t share = Between(1, 100);
  BankCommand command = share <= 40   ? Income()
                        : share <= 70 ? Withdraw()
                        : share <= 90 ? Transfer()
                                      : Lock();
  WriteBody(command);
  return command;
}

BankCommand BankModel::Income() {
  BankCommand command{.type = "income", .user = AnyUser(), .sum = Between(1, kSumMax)};
  command.outcomes = {""};
  if (Chance(2)) {
    command.user = kNobody;
    command.outcomes = {"unknown_user"};
  }
  return command;
}

BankCommand BankModel::Withdraw() {
  BankCommand command{.type = "withdraw", .user = AnyUser(), .sum = Between(1, kSumMax)};
  command.outcomes = {"", "insufficient_funds"};
  if (Chance(3)) {
    command.sum = kTooMuch;
    command.outcomes = {"insufficient_funds"};
  } else if (Chance(2)) {
    command.user = kNobody;
    command.outcomes = {"unknown_user"};
  }
  return command;
}

BankCommand BankModel::Transfer() {
  BankCommand command{
      .type = "transfer", .user = AnyUser(), .sum = Between(1, kSumMax), .payer = AnyUser()};
  command.outcomes = {"", "insufficient_funds"};
  if (Chance(2)) command.payer = command.user;
  if (command.payer == command.user) {
    command.outcomes = {"same_user"};
  } else if (Chance(2)) {
    (Chance(50) ? command.payer : command.user) = kNobody;
    command.outcomes = {"unknown_user"};
  } else if (Chance(2)) {
    command.sum = kTooMuch;
    command.outcomes = {"insufficient_funds"};
  }
  return command;
}

BankCommand BankModel::Lock() {
  if (!open_holds_.empty() && Chance(50)) return Closing();
  BankCommand command{.type = "lock", .user = AnyUser(), .sum = Between(1, kSumMax)};
  command.event = "lock";
  command.hold = Uuid();
  command.outcomes = {"", "insufficient_funds"};
  open_holds_.push_back(command);
  return command;
}

// Captures or releases a hold made earlier. It may overtake the hold, or the hold be refused.
BankCommand BankModel::Closing() {
  std::swap(open_holds_[random_() % open_holds_.size()], open_holds_.back());
  BankCommand command = open_holds_.back();
  command.event = Chance(50) ? "withdraw" : "unlock";
  if (Chance(5)) {
    ++command.sum;
    command.outcomes = {"sum_mismatch", "unknown_hold"};
    return command;
  }
  command.outcomes = {"", "unknown_hold"};
  open_holds_.pop_back();
  return command;
}

BankCommand BankModel::Nonsense() {
  const std::array<std::pair<std::string, std::string>, 3> kinds{
      {{"malformed", Body("income", AnyUser()) + "}"},
       {"schema", Body("withdraw", AnyUser(), "0")},
       {"unknown_type", Body("lottery", AnyUser())}}};
  const auto& [code, body] = kinds.at(random_() % kinds.size());
  BankCommand command{.body = body};
  command.outcomes = {code};
  command.valid = false;
  return command;
}

BankBooks::BankBooks(std::map<std::int64_t, std::int64_t> accounts)
    : balances_(std::move(accounts)) {
  for (const auto& [user, sum] : balances_) total_ += sum;
}

void BankBooks::Post(const BankCommand& command) {
  static const std::map<std::string, int> log_types{
      {"income", 1}, {"withdraw", 2}, {"lock", 3}, {"transfer", 4}};
  balances_.at(command.user) += ChangeFor(command, command.user);
  if (command.payer != 0) balances_.at(command.payer) += ChangeFor(command, command.payer);
  if (command.type == "lock") {
    Hold& hold = holds_[command.hold];
    hold.user = command.user;
    hold.sum = command.sum;
    hold.open += command.event == "lock" ? 1 : -1;
  }
  if (command.type == "income") total_ += command.sum;
  if (command.type == "withdraw" || command.event == "withdraw") total_ -= command.sum;

  std::string line = fmt::format("{} {} {}", log_types.at(command.type), command.sum, command.user);
  if (command.type == "lock") line += fmt::format(" {} {}", command.event, command.hold);
  if (command.type == "transfer") line += fmt::format(" {}", command.payer);
  log_.insert(line);
}

std::int64_t ChangeFor(const BankCommand& command, std::int64_t user) {
  if (user == command.payer) return -command.sum;
  if (user != command.user) return 0;
  if (command.type == "withdraw" || command.event == "lock") return -command.sum;
  return command.event == "withdraw" ? 0 : command.sum;
}

}  // namespace iq::test
