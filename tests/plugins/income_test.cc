#include "tests/plugins/billing_host.h"

namespace iq::test {
namespace {

using testing::ElementsAre;
using testkit::SqlFault;

class IncomeTest : public BillingHost {
 protected:
  explicit IncomeTest(std::map<std::string, std::string> settings = {})
      : BillingHost("income", std::move(settings)) {}
};

class OpeningIncomeTest : public IncomeTest {
 protected:
  OpeningIncomeTest() : IncomeTest({{"open_accounts", "true"}}) {}
};

constexpr const char* kOne = R"({"type":"income","userId":2,"sum":1.5,"details":[]})";

TEST_F(IncomeTest, CreditsTheUserAndSaysSo) {
  const Outcome outcome = host_.Send(kOne);
  EXPECT_THAT(outcome, IsDone());
  ASSERT_EQ(outcome.events.size(), 1U);
  EXPECT_EQ(outcome.events[0].name, "balance.income");
  EXPECT_EQ(outcome.events[0].data, R"({"balance":11500,"sum":1500,"userId":2})");
  EXPECT_EQ(Balance(2), "11500");
  EXPECT_EQ(Cell("SELECT type || ' ' || sum || ' ' || user_id || ' ' || details "
                 "FROM transaction_log"),
            "1 1500 2 {}");
}

TEST_F(IncomeTest, ARedeliveryChangesNothingAndIsAnsweredTheSame) {
  const Outcome first = host_.Send(kOne);
  const Outcome second = host_.Redeliver();
  EXPECT_THAT(second, IsDone());
  EXPECT_EQ(second.events[0].id, first.events[0].id);
  EXPECT_EQ(Balance(2), "11500");
  EXPECT_EQ(Logged(), "1");
}

TEST_F(IncomeTest, RefusesAUserWithoutABalance) {
  EXPECT_THAT(host_.Send(R"({"type":"income","userId":9,"sum":1})"),
              Is("rejected", "unknown_user"));
  EXPECT_EQ(Logged(), "0");
}

TEST_F(OpeningIncomeTest, OpensTheAccountWhereItMay) {
  EXPECT_THAT(host_.Send(R"({"type":"income","userId":9,"sum":"0.001"})"), IsDone());
  EXPECT_EQ(Balance(9), "1");
}

TEST_F(IncomeTest, RefusesWhatABalanceCannotHold) {
  host_.Sql("UPDATE balance SET sum = 9223372036854775807 WHERE user_id = 2");
  EXPECT_THAT(host_.Send(kOne), Is("rejected", "balance_overflow"));
  EXPECT_EQ(Balance(2), "9223372036854775807");
}

TEST_F(IncomeTest, AFailedStatementLeavesNothingBehind) {
  host_.FailSql("INSERT INTO transaction_log");
  EXPECT_THAT(host_.Send(kOne), Is("failed", "sql_error"));
  EXPECT_EQ(Balance(2), "10000");
}

TEST_F(IncomeTest, AConflictIsRunAgainAndTakesEffectOnce) {
  host_.FailSql("UPDATE balance", SqlFault::kConflict);
  EXPECT_THAT(host_.Send(kOne), IsDone());
  EXPECT_EQ(Balance(2), "11500");
}

TEST_F(IncomeTest, WaitsForTheUsersLock) {
  host_.HoldLock("user:2");
  EXPECT_THAT(host_.Send(kOne), Is("retry", "lock_busy"));
  host_.ReleaseLocks();
  EXPECT_THAT(host_.Send(kOne), IsDone());
}

TEST_F(IncomeTest, CommandsThatComeTogetherAllTakeEffect) {
  EXPECT_THAT(host_.SendTogether({kOne, R"({"type":"income","userId":3,"sum":1})", kOne}),
              ElementsAre(IsDone(), IsDone(), IsDone()));
  EXPECT_EQ(Balance(2), "13000");
  EXPECT_EQ(Balance(3), "1500");
  EXPECT_EQ(host_.Events().size(), 3U);
}

TEST_F(IncomeTest, RefusesWhatIsNoAmount) {
  for (const char* sum : {"0", "-1", "1.0001", "\"1e3\"", "null", "9223372036854775.808"}) {
    EXPECT_THAT(host_.Send(std::string(R"({"type":"income","userId":2,"sum":)") + sum + "}"),
                Is("invalid", "schema"))
        << sum;
  }
  EXPECT_EQ(Balance(2), "10000");
}

TEST_F(IncomeTest, ItsEventBearsTheHostsTime) {
  host_.SetTime(std::chrono::system_clock::time_point(std::chrono::seconds(1'000'000'000)));
  host_.Send(kOne);
  EXPECT_THAT(Cell("SELECT json_extract(events, '$[0].occurredAt') FROM iq_journal"),
              testing::StartsWith("2001-09-09T01:46:40"));
}

}  // namespace
}  // namespace iq::test
