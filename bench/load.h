// The commands of a benchmark, and what must have come of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/e2e/test_store.h"
#include "tests/support/amqp_client.h"

namespace iq::bench {

enum class Mix {
  kIncome,  // Nothing else.
  kMixed,   // 40 % income, 30 % withdraw, 20 % transfer, 10 % lock: a third each of its events.
};

// Every command can be carried out, whatever the order: accounts are rich, and the holds that are
// captured or released stand before the first command.
class Load {
 public:
  Load(Mix mix, std::int64_t commands, std::int64_t users)
      : mix_(mix), commands_(commands), users_(users) {}

  std::int64_t commands() const { return commands_; }

  // The accounts, and the holds.
  void Prepare(test::TestStore& store) const;

  // Commands number `first` up to, not including, `last`; each has a message id of its own.
  std::vector<test::AmqpPublishing> Commands(std::int64_t first, std::int64_t last) const;

  // What is wrong with the tables after all of it; empty where nothing is. Journal rows of other
  // commands do not matter.
  std::string Fault(test::TestStore& store) const;

 private:
  enum class Kind { kIncome, kWithdraw, kTransfer, kHold, kCapture, kRelease };

  Kind KindOf(std::int64_t number) const;
  std::int64_t UserOf(std::int64_t number) const;
  std::int64_t PayerOf(std::int64_t number) const;
  std::string Body(std::int64_t number) const;
  std::vector<std::int64_t> BalancesAfter() const;

  Mix mix_;
  std::int64_t commands_;
  std::int64_t users_;
};

}  // namespace iq::bench
