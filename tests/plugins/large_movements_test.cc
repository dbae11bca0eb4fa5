// The example listener, as its author tests it.
#include "tests/plugins/billing_host.h"

namespace iq::test {
namespace {

using testkit::SqlFault;

class LargeMovementsTest : public testing::Test {
 protected:
  testkit::Outcome Income(int units) {
    return host_.Send(R"({"type":"income","userId":2,"sum":)" + std::to_string(units) + "}");
  }
  std::string Noted() {
    const auto rows = host_.Query(
        "SELECT coalesce(group_concat(event || ' ' || user_id || ' ' || sum), '') "
        "FROM large_movement");
    return *rows.at(0).at(0);
  }

  testkit::Host host_{
      {.plugins = {IQ_BINARY_DIR "/plugins/income.so",
                   IQ_BINARY_DIR "/examples/large_movements.so"},
       .settings = {{"large_movements", {{"least", "50000"}}}},
       .schema = {ReadText(IQ_SOURCE_DIR "/sql/billing/001_balance.sqlite.sql"),
                  ReadText(IQ_SOURCE_DIR "/plugins/large_movements/large_movement.sql"),
                  "INSERT INTO balance (user_id, sum) VALUES (2, 0)"},
       .attempts = 3}};
};

TEST_F(LargeMovementsTest, NotesWhatIsLarge) {
  EXPECT_THAT(Income(50), IsDone());
  host_.AwaitListeners();
  EXPECT_EQ(Noted(), "balance.income 2 50000");
}

TEST_F(LargeMovementsTest, LetsPassWhatIsSmall) {
  EXPECT_THAT(Income(49), IsDone());
  host_.AwaitListeners();
  EXPECT_EQ(Noted(), "");
}

TEST_F(LargeMovementsTest, AnEventThatComesAgainIsNotNotedAgain) {
  Income(50);
  host_.AwaitListeners();
  host_.Redeliver();
  host_.AwaitListeners();
  EXPECT_EQ(host_.Events().size(), 2U) << "the event did not come again: this proves nothing";
  EXPECT_EQ(Noted(), "balance.income 2 50000");
}

TEST_F(LargeMovementsTest, WhatFailsIsTriedAgain) {
  host_.FailSql("INTO large_movement", SqlFault::kError, 2);
  EXPECT_THAT(Income(50), IsDone());
  host_.AwaitListeners();
  EXPECT_EQ(Noted(), "balance.income 2 50000");
}

TEST_F(LargeMovementsTest, WhatFailsTooOftenHoldsNothingUp) {
  host_.FailSql("INTO large_movement", SqlFault::kError, 3);
  Income(50);
  host_.AwaitListeners();
  EXPECT_EQ(Noted(), "");
  Income(60);
  host_.AwaitListeners();
  EXPECT_EQ(Noted(), "balance.income 2 60000");
}

}  // namespace
}  // namespace iq::test
