// The shipped tables of balances in an SQLite file: whatever a statement does, no sum is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/sqlite_fixture.h"

namespace iq {
namespace {

using ::testing::MatchesRegex;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

class SqliteMoney : public Sqlite {
 protected:
  SqliteMoney() {
    std::ifstream file(IQ_SOURCE_DIR "/sql/billing/001_balance.sqlite.sql");
    Open()->RunScript(std::string{std::istreambuf_iterator<char>(file), {}});
  }
};

TEST_F(SqliteMoney, ASumBeyond64BitsIsAnErrorAndNeverWrong) {
  const auto session = Open();
  Ask(*session, "INSERT INTO balance VALUES (1, $1), (2, 5)", {Int(kMax - 5)});
  for (const char* const sql :
       {"UPDATE balance SET sum = sum + 6 WHERE user_id = 1",
        // Out of the range and back into it: exact to the eye, and wrong.
        "UPDATE balance SET sum = sum + 1000 - 9223372036854775807 WHERE user_id = 1",
        "UPDATE balance SET sum = sum * 0.5 WHERE user_id = 2",
        "UPDATE balance SET sum = 4.0 WHERE user_id = 2",
        "UPDATE balance SET sum = -1 WHERE user_id = 2",
        "UPDATE balance SET sum = '5' WHERE user_id = 2",
        "INSERT INTO blocked_money VALUES ('a', 1, 9223372036854775807 + 1)",
        "INSERT INTO transaction_log (type, sum, user_id, details) VALUES (1, 1e3, 1, '{}')",
        "INSERT INTO transaction_log (type, sum, user_id, details) VALUES (1, 1, 1, '{')"}) {
    EXPECT_EQ(ErrorOf(*session, sql).code(), "23514") << sql;
  }
  EXPECT_EQ(Number(*session, "SELECT sum FROM balance WHERE user_id = 1"), kMax - 5);
  EXPECT_EQ(Number(*session, "SELECT sum FROM balance WHERE user_id = 2"), 5);
  Ask(*session, "UPDATE balance SET sum = sum + 5 WHERE user_id = 1");
  EXPECT_EQ(Number(*session, "SELECT sum FROM balance WHERE user_id = 1"), kMax);
  Ask(*session, "INSERT INTO transaction_log (type, sum, user_id, details) VALUES (1, 1, 1, '{}')");
  EXPECT_THAT(std::string(View(Ask(*session, "SELECT created_at FROM transaction_log").At(0, 0))),
              MatchesRegex("20[0-9-]+T[0-9:]+\\.[0-9]+Z"));
}

TEST_F(SqliteMoney, NoUpdateOfManyProcessesIsLost) {
  constexpr int kProcesses = 4;
  constexpr int kUpdatesEach = 100;
  Ask(*Open(), "INSERT INTO balance VALUES (1, 0)");
  const auto work = [this] {
    const auto session = Open();
    for (int i = 0; i < kUpdatesEach; ++i) {
      session->Begin();
      const std::int64_t sum = Number(*session, "SELECT sum FROM balance WHERE user_id = 1");
      session->Execute("UPDATE balance SET sum = $1 WHERE user_id = 1", Args({Int(sum + 1)}));
      session->Commit();
    }
  };
  {
    std::vector<std::unique_ptr<ForkedProcess>> processes;
    for (int i = 0; i < kProcesses; ++i) processes.push_back(std::make_unique<ForkedProcess>(work));
    for (const auto& process : processes) EXPECT_EQ(process->Join(), 0);
  }
  EXPECT_EQ(Number(*Open(), "SELECT sum FROM balance"), kProcesses * kUpdatesEach);
}

}  // namespace
}  // namespace iq
