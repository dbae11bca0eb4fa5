#include "tests/plugins/billing_host.h"

namespace iq::test {
namespace {

class WithdrawTest : public BillingHost {
 protected:
  WithdrawTest() : BillingHost("withdraw") {}
};

constexpr const char* kFour = R"({"type":"withdraw","userId":2,"sum":4})";

TEST_F(WithdrawTest, DebitsTheUserAndSaysSo) {
  const Outcome outcome = host_.Send(kFour);
  EXPECT_THAT(outcome, IsDone());
  ASSERT_EQ(outcome.events.size(), 1U);
  EXPECT_EQ(outcome.events[0].name, "balance.withdraw");
  EXPECT_EQ(outcome.events[0].data, R"({"balance":6000,"sum":4000,"userId":2})");
  EXPECT_EQ(Cell("SELECT type || ' ' || sum || ' ' || user_id FROM transaction_log"), "2 4000 2");
}

TEST_F(WithdrawTest, TakesTheLastThousandthAndNoMore) {
  EXPECT_THAT(host_.Send(R"({"type":"withdraw","userId":3,"sum":0.501})"),
              Is("rejected", "insufficient_funds"));
  EXPECT_THAT(host_.Send(R"({"type":"withdraw","userId":3,"sum":0.5})"), IsDone());
  EXPECT_EQ(Balance(3), "0");
}

TEST_F(WithdrawTest, RefusesAUserWithoutABalance) {
  EXPECT_THAT(host_.Send(R"({"type":"withdraw","userId":9,"sum":1})"),
              Is("rejected", "unknown_user"));
}

TEST_F(WithdrawTest, OneThatFailsCostsItsNeighboursNothing) {
  const auto outcomes = host_.SendTogether(
      {kFour, R"({"type":"withdraw","userId":3,"sum":1})", R"({"type":"withdraw","userId":2})"});
  EXPECT_THAT(outcomes[0], IsDone());
  EXPECT_THAT(outcomes[1], Is("rejected", "insufficient_funds"));
  EXPECT_THAT(outcomes[2], Is("invalid", "schema"));
  EXPECT_EQ(Balance(2), "6000");
}

TEST_F(WithdrawTest, AFailedStatementLeavesNothingBehind) {
  host_.FailSql("INSERT INTO transaction_log");
  EXPECT_THAT(host_.Send(kFour), Is("failed", "sql_error"));
  EXPECT_EQ(Balance(2), "10000");
}

TEST_F(WithdrawTest, ARedeliveryChangesNothing) {
  host_.Send(kFour);
  EXPECT_THAT(host_.Redeliver(), IsDone());
  EXPECT_EQ(Balance(2), "6000");
}

TEST_F(WithdrawTest, WaitsForTheUsersLock) {
  host_.HoldLock("user:2");
  EXPECT_THAT(host_.Send(kFour), Is("retry", "lock_busy"));
  EXPECT_EQ(Balance(2), "10000");
}

}  // namespace
}  // namespace iq::test
