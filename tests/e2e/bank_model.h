// A bank for tests: what is commanded, and, independently of iq, what that does to its accounts.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/support/amqp_client.h"

namespace iq::test {

// Amounts are in thousandths.
struct BankCommand {
  std::string id{};
  std::string body{};
  std::string type{};
  std::int64_t user = 0;
  std::int64_t sum = 0;
  std::int64_t payer = 0;  // Of a transfer.
  std::string event{};     // Of a lock; so is `hold`, its uuid.
  std::string hold{};
  // What may become of it: codes, "" for done. More than one where the order of arrival decides.
  std::set<std::string> outcomes{};
  bool valid = true;  // Otherwise it never gets to a handler, and not into the journal.
};

// Draws commands from `seed`: 40 % income, 30 % withdraw, 20 % transfer, 10 % lock. Half of the
// accounts that they name belong to a few hot users; some commands must be refused.
class BankModel {
 public:
  explicit BankModel(std::uint64_t seed);

  // `count` new commands with repetitions among them, in the order to publish them. One in twenty
  // commands is repeated, now or by a later call.
  std::vector<AmqpPublishing> Next(std::size_t count);

  const std::map<std::int64_t, std::int64_t>& accounts() const { return accounts_; }
  const std::map<std::string, BankCommand>& commands() const { return commands_; }  // By id.
  std::size_t valid_count() const { return valid_count_; }

 private:
  bool Chance(int percent);
  std::int64_t Between(std::int64_t least, std::int64_t most);
  std::string Uuid();
  std::int64_t AnyUser();
  BankCommand Draw();
  BankCommand Income();
  BankCommand Withdraw();
  BankCommand Transfer();
  BankCommand Lock();
  BankCommand Closing();
  BankCommand Nonsense();

  std::mt19937_64 random_;
  std::map<std::int64_t, std::int64_t> accounts_;
  std::map<std::string, BankCommand> commands_;
  std::vector<BankCommand> open_holds_;
  std::vector<AmqpPublishing> to_repeat_;
  std::size_t valid_count_ = 0;
};

// The accounts after a set of accepted commands, whatever their order was.
class BankBooks {
 public:
  struct Hold {
    std::int64_t user = 0;
    std::int64_t sum = 0;
    int open = 0;  // How often it was opened, less how often it was closed.
  };

  explicit BankBooks(std::map<std::int64_t, std::int64_t> accounts);

  void Post(const BankCommand& command);

  const std::map<std::int64_t, std::int64_t>& balances() const { return balances_; }
  const std::map<std::string, Hold>& holds() const { return holds_; }  // By uuid; closed ones, too.
  std::multiset<std::string> log() const { return log_; }
  // Initial balances and accepted income, less accepted withdrawals and captured holds.
  std::int64_t total() const { return total_; }

 private:
  std::map<std::int64_t, std::int64_t> balances_;
  std::map<std::string, Hold> holds_;
  // The rows of transaction_log: type, sum, user and what details tell, separated by spaces.
  std::multiset<std::string> log_;
  std::int64_t total_ = 0;
};

// What `command` adds to the balance of `user`.
std::int64_t ChangeFor(const BankCommand& command, std::int64_t user);

}  // namespace iq::test
