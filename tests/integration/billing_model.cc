#include "tests/integration/billing_model.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace iq {

using nlohmann::json;

std::string BillingCommand::Body() const {
  json details = json::object();
  if (type == "transfer") details["userFromId"] = payer;
  if (type == "lock") details = {{"event", event}, {"uuid", uuid}};
  return fmt::format(R"({{"type":"{}","userId":{},"sum":{}.{:03},"details":{}}})", type, user,
                     sum / 1000, sum % 1000, details.dump());
}

std::string BillingCommand::Kind() const { return type == "lock" ? type + "/" + event : type; }

void BillingTables::AddLog(int type, std::int64_t sum, std::int64_t user, const json& details) {
  log.insert(fmt::format("{} {} {} {}", type, sum, user, details.dump()));
}

std::string BillingTables::Text() const {
  std::string text;
  for (const auto& [user, sum] : balances) text += fmt::format("balance {} {}\n", user, sum);
  for (const auto& [uuid, hold] : holds) {
    text += fmt::format("hold {} {} {}\n", uuid, hold.user, hold.sum);
  }
  for (const std::string& line : log) text += "log " + line + "\n";
  return text;
}

std::string BillingModel::Run(const BillingCommand& command) {
  json data;
  std::string code;
  if (command.type == "income") {
    code = Income(command, data);
  } else if (command.type == "withdraw") {
    code = Withdraw(command, data);
  } else if (command.type == "transfer") {
    code = Transfer(command, data);
  } else {
    code = Lock(command, data);
  }
  return code.empty() ? fmt::format("done balance.{} {}", command.type, data.dump()) : code;
}

std::string BillingModel::Income(const BillingCommand& command, json& data) {
  if (open_accounts_) tables_.balances.try_emplace(command.user, 0);
  if (std::string code = Credit(command.user, command.sum); !code.empty()) return code;
  tables_.AddLog(1, command.sum, command.user, json::object());
  data = {{"userId", command.user},
          {"sum", command.sum},
          {"balance", tables_.balances.at(command.user)}};
  return "";
}

std::string BillingModel::Withdraw(const BillingCommand& command, json& data) {
  if (std::string code = Debit(command.user, command.sum); !code.empty()) return code;
  tables_.AddLog(2, command.sum, command.user, json::object());
  data = {{"userId", command.user},
          {"sum", command.sum},
          {"balance", tables_.balances.at(command.user)}};
  return "";
}

std::string BillingModel::Transfer(const BillingCommand& command, json& data) {
  if (command.user == command.payer) return "same_user";
  if (!tables_.balances.contains(command.user)) return "unknown_user";
  if (std::string code = Debit(command.payer, command.sum); !code.empty()) return code;
  if (std::string code = Credit(command.user, command.sum); !code.empty()) {
    tables_.balances.at(command.payer) += command.sum;
    return code;
  }
  tables_.AddLog(4, command.sum, command.user, {{"user_from_id", command.payer}});
  data = {{"userId", command.user},
          {"userFromId", command.payer},
          {"sum", command.sum},
          {"balance", tables_.balances.at(command.user)},
          {"balanceFrom", tables_.balances.at(command.payer)}};
  return "";
}

std::string BillingModel::Lock(const BillingCommand& command, json& data) {
  std::string code = command.event == "lock" ? OpenHold(command) : CloseHold(command);
  if (!code.empty()) return code;
  tables_.AddLog(3, command.sum, command.user, {{"event", command.event}, {"uuid", command.uuid}});
  const auto balance = tables_.balances.find(command.user);
  data = {{"userId", command.user},
          {"event", command.event},
          {"uuid", command.uuid},
          {"sum", command.sum},
          {"balance", balance == tables_.balances.end() ? json() : json(balance->second)}};
  return "";
}

std::string BillingModel::Credit(std::int64_t user, std::int64_t sum) {
  const auto balance = tables_.balances.find(user);
  if (balance == tables_.balances.end()) return "unknown_user";
  if (balance->second > std::numeric_limits<std::int64_t>::max() - sum) return "balance_overflow";
  balance->second += sum;
  return "";
}

std::string BillingModel::Debit(std::int64_t user, std::int64_t sum) {
  const auto balance = tables_.balances.find(user);
  if (balance == tables_.balances.end()) return "unknown_user";
  if (balance->second < sum) return "insufficient_funds";
  balance->second -= sum;
  return "";
}

std::string BillingModel::OpenHold(const BillingCommand& command) {
  if (tables_.holds.contains(command.uuid)) return "hold_exists";
  std::string code = Debit(command.user, command.sum);
  if (code.empty()) tables_.holds[command.uuid] = {command.user, command.sum};
  return code;
}

std::string BillingModel::CloseHold(const BillingCommand& command) {
  const auto hold = tables_.holds.find(command.uuid);
  if (hold == tables_.holds.end() || hold->second.user != command.user) return "unknown_hold";
  if (hold->second.sum != command.sum) return "sum_mismatch";
  if (command.event == "unlock") {
    if (std::string code = Credit(command.user, command.sum); !code.empty()) return code;
  }
  tables_.holds.erase(hold);
  return "";
}

}  // namespace iq
