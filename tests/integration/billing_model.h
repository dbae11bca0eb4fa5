// What the billing commands do to their tables, written down without the plugins' help: no SQL, one
// command after the other.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <utility>

namespace iq {

// Amounts are in thousandths.
struct BillingCommand {
  std::string type{};
  std::int64_t user = 0;
  std::int64_t sum = 0;
  std::int64_t payer = 0;  // Of a transfer.
  std::string event{};     // Of a lock; so is `uuid`.
  std::string uuid{};

  // The message's body; `sum` with three decimals.
  std::string Body() const;
  // The type; for a lock, with its event: "lock/unlock".
  std::string Kind() const;
};

struct BillingHold {
  std::int64_t user = 0;
  std::int64_t sum = 0;
};

struct BillingTables {
  std::map<std::int64_t, std::int64_t> balances;  // By user.
  std::map<std::string, BillingHold> holds;       // By uuid.
  std::multiset<std::string> log;                 // As AddLog writes it.

  void AddLog(int type, std::int64_t sum, std::int64_t user, const nlohmann::json& details);
  // A line for each row, sorted.
  std::string Text() const;
};

class BillingModel {
 public:
  BillingModel(BillingTables tables, bool open_accounts)
      : tables_(std::move(tables)), open_accounts_(open_accounts) {}

  // The refusal's code, or "done", the event's name and its data.
  std::string Run(const BillingCommand& command);

  const BillingTables& tables() const { return tables_; }

 private:
  // Each fills in the event's data, or returns the refusal's code.
  std::string Income(const BillingCommand& command, nlohmann::json& data);
  std::string Withdraw(const BillingCommand& command, nlohmann::json& data);
  std::string Transfer(const BillingCommand& command, nlohmann::json& data);
  std::string Lock(const BillingCommand& command, nlohmann::json& data);

  // Each returns the refusal's code, or nothing when the money has moved.
  std::string Credit(std::int64_t user, std::int64_t sum);
  std::string Debit(std::int64_t user, std::int64_t sum);
  std::string OpenHold(const BillingCommand& command);
  std::string CloseHold(const BillingCommand& command);

  BillingTables tables_;
  bool open_accounts_;
};

}  // namespace iq
