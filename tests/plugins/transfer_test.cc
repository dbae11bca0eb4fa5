#include "tests/plugins/billing_host.h"

namespace iq::test {
namespace {

class TransferTest : public BillingHost {
 protected:
  TransferTest() : BillingHost("transfer") {}
};

std::string Transfer(int from, int to, const std::string& sum) {
  return R"({"type":"transfer","userId":)" + std::to_string(to) + R"(,"sum":)" + sum +
         R"(,"details":{"userFromId":)" + std::to_string(from) + "}}";
}

TEST_F(TransferTest, MovesTheMoneyAndSaysSo) {
  const Outcome outcome = host_.Send(Transfer(2, 3, "2.25"));
  EXPECT_THAT(outcome, IsDone());
  ASSERT_EQ(outcome.events.size(), 1U);
  EXPECT_EQ(outcome.events[0].name, "balance.transfer");
  EXPECT_EQ(Balance(2), "7750");
  EXPECT_EQ(Balance(3), "2750");
  EXPECT_EQ(Cell("SELECT type || ' ' || sum || ' ' || user_id || ' ' || details "
                 "FROM transaction_log"),
            R"(4 2250 3 {"user_from_id":2})");
}

TEST_F(TransferTest, MovesBothOrNeither) {
  EXPECT_THAT(host_.Send(Transfer(3, 2, "0.501")), Is("rejected", "insufficient_funds"));
  EXPECT_THAT(host_.Send(Transfer(2, 9, "1")), Is("rejected", "unknown_user"));
  EXPECT_THAT(host_.Send(Transfer(9, 2, "1")), Is("rejected", "unknown_user"));
  host_.Sql("UPDATE balance SET sum = 9223372036854775807 WHERE user_id = 3");
  EXPECT_THAT(host_.Send(Transfer(2, 3, "1")), Is("rejected", "balance_overflow"));
  EXPECT_EQ(Balance(2), "10000");
  EXPECT_EQ(Balance(3), "9223372036854775807");
  EXPECT_EQ(Logged(), "0");
}

TEST_F(TransferTest, RefusesToPayToThePayer) {
  EXPECT_THAT(host_.Send(Transfer(2, 2, "1")), Is("rejected", "same_user"));
}

TEST_F(TransferTest, WaitsForTheLockOfEitherUser) {
  host_.HoldLock("user:3");
  EXPECT_THAT(host_.Send(Transfer(2, 3, "1")), Is("retry", "lock_busy"));
  EXPECT_THAT(host_.Send(Transfer(3, 2, "0.1")), Is("retry", "lock_busy"));
  EXPECT_EQ(Balance(2), "10000");
}

TEST_F(TransferTest, AFailedStatementLeavesNothingBehind) {
  host_.FailSql("INSERT INTO transaction_log");
  EXPECT_THAT(host_.Send(Transfer(2, 3, "1")), Is("failed", "sql_error"));
  EXPECT_EQ(Balance(2), "10000");
  EXPECT_EQ(Balance(3), "500");
}

TEST_F(TransferTest, NeedsToKnowThePayer) {
  EXPECT_THAT(host_.Send(R"({"type":"transfer","userId":2,"sum":5,"details":[]})"),
              Is("invalid", "schema"));
}

}  // namespace
}  // namespace iq::test
