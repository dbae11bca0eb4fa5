// The balances of a batch's users: read before its commands are decided, one after the other and in
// memory, and written once they are. Amounts are in thousandths.
//
// Nobody else can change one in between, not even who writes without holding the users' locks. An
// account that is not there may be opened meanwhile: then Write() fails on its key, and the host
// runs the commands one by one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include <iq/plugin.h>

namespace billing {

class Balances {
 public:
  // Those of `users`, who may repeat. Waits for the rows; throws what a query throws.
  Balances(const std::vector<std::int64_t>& users, iq::BatchContext& batch) {
    for (const iq::Row row : batch.Query(kRead, users)) {
      accounts_.emplace(row.Integer(0), Account{row.Integer(1), row.Integer(1)});
    }
  }

  // Nothing where the user has no account.
  std::optional<std::int64_t> Of(std::int64_t user) const {
    const auto account = accounts_.find(user);
    return account == accounts_.end() ? std::nullopt : std::optional(account->second.after);
  }

  // Opens the account where there is none.
  void Set(std::int64_t user, std::int64_t sum) {
    accounts_.try_emplace(user).first->second.after = sum;
  }

  // Does not wait for the database.
  void Write(iq::BatchContext& batch) const {
    WriteThose([](const Account& each) { return each.before && each.before != each.after; },
               kUpdate, batch);
    WriteThose([](const Account& each) { return !each.before; }, kOpen, batch);
  }

 private:
  struct Account {
    std::optional<std::int64_t> before;  // None where it is opened.
    std::int64_t after = 0;
  };

  // In a subquery, an array's length is hidden from the server, which would otherwise plan anew for
  // each short one. That takes longer than to carry it out.
  static constexpr std::string_view kRead = R"(
    SELECT user_id, sum FROM balance WHERE user_id = ANY((SELECT $1::bigint[])::bigint[])
    ORDER BY user_id FOR NO KEY UPDATE)";
  static constexpr std::string_view kUpdate = R"(
    UPDATE balance AS b SET sum = account.sum
    FROM unnest((SELECT $1::bigint[]), (SELECT $2::bigint[])) AS account(user_id, sum)
    WHERE b.user_id = account.user_id)";
  static constexpr std::string_view kOpen = R"(
    INSERT INTO balance (user_id, sum) SELECT * FROM unnest($1::bigint[], $2::bigint[]))";

  template <typename Which>
  void WriteThose(Which which, std::string_view statement, iq::BatchContext& batch) const {
    std::vector<std::int64_t> users;
    std::vector<std::int64_t> sums;
    for (const auto& [user, account] : accounts_) {
      if (!which(account)) continue;
      users.push_back(user);
      sums.push_back(account.after);
    }
    if (!users.empty()) batch.Execute(statement, users, sums);
  }

  std::map<std::int64_t, Account> accounts_;  // By user.
};

}  // namespace billing
