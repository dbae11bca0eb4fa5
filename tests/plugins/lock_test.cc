#include "tests/plugins/billing_host.h"

namespace iq::test {
namespace {

class LockTest : public BillingHost {
 protected:
  explicit LockTest(std::map<std::string, std::string> settings = {}, std::uint32_t attempts = 1)
      : BillingHost("lock", std::move(settings), attempts) {}

  std::string Holds() { return Cell("SELECT count(*) FROM blocked_money"); }
};

class AwaitingLockTest : public LockTest {
 protected:
  AwaitingLockTest() : LockTest({{"await_hold", "true"}}, /*attempts=*/3) {}
};

std::string Order(const std::string& event, int user = 2, const std::string& sum = "4") {
  return R"({"type":"lock","userId":)" + std::to_string(user) + R"(,"sum":)" + sum +
         R"(,"details":{"event":")" + event + R"(","uuid":"hold one"}})";
}

TEST_F(LockTest, HoldsMoney) {
  const Outcome outcome = host_.Send(Order("lock"));
  EXPECT_THAT(outcome, IsDone());
  ASSERT_EQ(outcome.events.size(), 1U);
  EXPECT_EQ(outcome.events[0].name, "balance.lock");
  EXPECT_EQ(Balance(2), "6000");
  EXPECT_EQ(Cell("SELECT uuid || ' ' || user_id || ' ' || sum FROM blocked_money"),
            "hold one 2 4000");
  EXPECT_EQ(Cell("SELECT type || ' ' || details FROM transaction_log"),
            R"(3 {"event":"lock","uuid":"hold one"})");
}

TEST_F(LockTest, ACaptureTakesTheHeldMoney) {
  host_.Send(Order("lock"));
  EXPECT_THAT(host_.Send(Order("withdraw")), IsDone());
  EXPECT_EQ(Balance(2), "6000");
  EXPECT_EQ(Holds(), "0");
}

TEST_F(LockTest, AReleaseGivesItBack) {
  host_.Send(Order("lock"));
  EXPECT_THAT(host_.Send(Order("unlock")), IsDone());
  EXPECT_EQ(Balance(2), "10000");
  EXPECT_EQ(Holds(), "0");
}

TEST_F(LockTest, RefusesWhatDoesNotFitTheHold) {
  EXPECT_THAT(host_.Send(Order("withdraw")), Is("rejected", "unknown_hold"));
  EXPECT_THAT(host_.Send(Order("lock", 3)), Is("rejected", "insufficient_funds"));
  EXPECT_THAT(host_.Send(Order("lock", 9)), Is("rejected", "unknown_user"));
  EXPECT_THAT(host_.Send(Order("lock")), IsDone());
  EXPECT_THAT(host_.Send(Order("lock")), Is("rejected", "hold_exists"));
  EXPECT_THAT(host_.Send(Order("unlock", 2, "3.999")), Is("rejected", "sum_mismatch"));
  EXPECT_THAT(host_.Send(Order("unlock", 3)), Is("rejected", "unknown_hold"));
  EXPECT_EQ(Balance(2), "6000");
  EXPECT_EQ(Holds(), "1");
  EXPECT_EQ(Logged(), "1");
}

TEST_F(AwaitingLockTest, ACaptureThatOvertookItsHoldIsRefusedOnlyAfterItsLastAttempt) {
  const Outcome outcome = host_.Send(Order("withdraw"));
  EXPECT_EQ(outcome.code, "unknown_hold");
  EXPECT_EQ(Balance(2), "10000");
}

TEST_F(LockTest, AFailedStatementLeavesNothingBehind) {
  host_.FailSql("INSERT INTO blocked_money");
  EXPECT_THAT(host_.Send(Order("lock")), Is("failed", "sql_error"));
  EXPECT_EQ(Balance(2), "10000");
  EXPECT_EQ(Holds(), "0");
}

TEST_F(LockTest, ARedeliveryHoldsNoMore) {
  host_.Send(Order("lock"));
  EXPECT_THAT(host_.Redeliver(), IsDone());
  EXPECT_EQ(Balance(2), "6000");
  EXPECT_EQ(Holds(), "1");
}

}  // namespace
}  // namespace iq::test
