// The publisher's bookkeeping: what is written when, and what an answer settles.
#include "host/broker/publish_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;
using Number = PublishLedger::Number;
using Routing = Publisher::Routing;

class Ledger : public ::testing::Test {
 protected:
  Number Add(const std::string& body, Routing routing = Routing::kRequired) {
    Message message;
    message.body = body;
    return ledger.Add({"e", "k"}, message, routing);
  }
  // Writes all that may be written now.
  std::vector<Number> Write() {
    std::vector<Number> written;
    while (const auto number = ledger.NextToWrite(now)) {
      ledger.Written(*number);
      written.push_back(*number);
    }
    return written;
  }
  std::vector<Number> Acked(std::uint64_t sequence, bool multiple = false) {
    return ledger.Settle(sequence, multiple, true, now);
  }
  std::vector<Number> Nacked(std::uint64_t sequence, bool multiple = false) {
    return ledger.Settle(sequence, multiple, false, now);
  }
  void Return(const std::string& body) {
    Message message;
    message.body = body;
    ledger.Returned({"e", "k"}, message);
  }

  PublishLedger ledger;
  PublishLedger::Time now{1h};
};

TEST_F(Ledger, ConfirmsMayComeInAnyOrderAndTwice) {
  for (int i = 0; i < 5; ++i) Add("x");
  EXPECT_THAT(Write(), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(Acked(3), ElementsAre(3));
  EXPECT_THAT(Acked(3), IsEmpty());
  EXPECT_THAT(Acked(4, true), ElementsAre(1, 2, 4));
  EXPECT_THAT(Acked(4, true), IsEmpty());
  EXPECT_THAT(Acked(6), IsEmpty());
  EXPECT_THAT(Acked(5), ElementsAre(5));
  EXPECT_TRUE(ledger.empty());
}

TEST_F(Ledger, TheWindowBoundsMessagesOnTheWire) {
  for (std::size_t i = 0; i < PublishLedger::kMessagesOnWireMax + 10; ++i) Add("x");
  EXPECT_EQ(Write().size(), PublishLedger::kMessagesOnWireMax);
  EXPECT_THAT(Acked(2), ElementsAre(2));
  EXPECT_EQ(Write().size(), 1U);
}

TEST_F(Ledger, TheWindowBoundsBytesOnTheWire) {
  for (int i = 0; i < 20; ++i) Add(std::string(200'000, 'x'));
  EXPECT_EQ(Write().size(), 6U);
  Acked(1);
  EXPECT_EQ(Write().size(), 1U);
}

TEST_F(Ledger, AMessageLargerThanTheWindowTravels) {
  Add(std::string(3'000'000, 'x'));
  Add("x");
  EXPECT_THAT(Write(), ElementsAre(1));
  EXPECT_THAT(Acked(1), ElementsAre(1));
  EXPECT_THAT(Write(), ElementsAre(2));
}

TEST_F(Ledger, ANackedMessageIsWrittenAgainAfterAPause) {
  Add("a");
  Add("b");
  Write();
  EXPECT_THAT(Nacked(1), IsEmpty());
  EXPECT_THAT(Acked(2), ElementsAre(2));
  EXPECT_THAT(Write(), IsEmpty());
  EXPECT_EQ(ledger.setbacks(), 1U);
  ASSERT_TRUE(ledger.NextDue());
  now = *ledger.NextDue();
  EXPECT_THAT(Write(), ElementsAre(1));
  EXPECT_THAT(Acked(3), ElementsAre(1));
  EXPECT_EQ(ledger.setbacks(), 0U);
}

TEST_F(Ledger, AReturnedMessageIsNotDoneWhenItIsConfirmed) {
  Add("a");
  Add("b");
  Write();
  Return("b");
  EXPECT_THAT(Acked(2, true), ElementsAre(1));
  now += 10s;
  EXPECT_THAT(Write(), ElementsAre(2));
  EXPECT_THAT(Acked(3), ElementsAre(2));
}

TEST_F(Ledger, EqualMessagesAreReturnedOldestFirst) {
  Add("a", Routing::kOptional);
  Add("a");
  Add("a");
  Write();
  Return("a");
  EXPECT_THAT(Acked(3, true), ElementsAre(1, 3));
  EXPECT_EQ(ledger.size(), 1U);
}

TEST_F(Ledger, AfterALossAllIsWrittenAgainInOrder) {
  for (int i = 0; i < 4; ++i) Add("x");
  Write();
  Return("x");
  Acked(2);
  ledger.ChannelLost();
  Add("x");
  EXPECT_THAT(Write(), ElementsAre(1, 3, 4, 5));
  EXPECT_THAT(Acked(4, true), ElementsAre(1, 3, 4, 5));
}

TEST_F(Ledger, AForgottenMessageKeepsItsSequenceNumber) {
  Add("a");
  Add("b");
  Add("c");
  ledger.Forget(3);
  EXPECT_THAT(Write(), ElementsAre(1, 2));
  ledger.Forget(1);
  EXPECT_EQ(ledger.size(), 1U);
  EXPECT_THAT(Acked(1), IsEmpty());
  EXPECT_THAT(Acked(2), ElementsAre(2));
}

TEST_F(Ledger, AForgottenMessageIsNotWrittenAgain) {
  Add("a");
  Add("b");
  Write();
  Nacked(1);
  ledger.Forget(1);
  ledger.Forget(2);
  ledger.ChannelLost();
  now += 10s;
  EXPECT_THAT(Write(), IsEmpty());
  EXPECT_EQ(ledger.setbacks(), 0U);
}

TEST_F(Ledger, AfterARefusalEachSuspectTravelsAloneUntilTheCulpritIsFound) {
  for (int i = 0; i < 3; ++i) Add("x");
  Write();
  ledger.ChannelRefused(now);
  Add("x");
  EXPECT_THAT(Write(), ElementsAre(1));
  EXPECT_THAT(Acked(1), ElementsAre(1));
  EXPECT_THAT(Write(), ElementsAre(2));
  ledger.ChannelRefused(now);
  EXPECT_THAT(Write(), ElementsAre(3));
  Acked(1);
  EXPECT_THAT(Write(), ElementsAre(4));
  Acked(2);
  ASSERT_TRUE(ledger.NextDue());
  EXPECT_GE(*ledger.NextDue() - now, 1s);
  now = *ledger.NextDue();
  Add("x");
  EXPECT_THAT(Write(), ElementsAre(2));
  EXPECT_THAT(Acked(3), ElementsAre(2));
  EXPECT_THAT(Write(), ElementsAre(5));
}

TEST_F(Ledger, ThePauseAfterRefusalsGrowsToHalfAMinute) {
  Add("x");
  auto pause = 0s;
  for (int i = 0; i < 10; ++i) {
    ASSERT_THAT(Write(), ElementsAre(1));
    ledger.ChannelRefused(now);
    const auto next = std::chrono::duration_cast<std::chrono::seconds>(*ledger.NextDue() - now);
    EXPECT_GE(next, pause);
    pause = next;
    now = *ledger.NextDue();
  }
  EXPECT_EQ(pause, 32s);
}

// A broker that answers anything it may answer, against the one rule that matters: a receipt is
// given exactly once, and only for what was taken and not returned since it was last written.
TEST_F(Ledger, UnderAnyAnswersEachMessageIsConfirmedOnceAndOnlyWhenTaken) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::minstd_rand random(seed);
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    PublishLedger one;
    std::set<Number> open;
    std::vector<Number> wire;        // By sequence number, from 1.
    std::set<std::size_t> answered;  // Indices into `wire`.
    PublishLedger::Time clock{1h};
    for (int step = 0; step < 400 || !open.empty(); ++step) {
      ASSERT_LT(step, 20'000);
      const bool calm = step >= 400;
      clock += 100ms;
      if (!calm && chance(50)) {
        Message message;
        message.body = std::to_string(step);
        open.insert(one.Add({"e", "k"}, message, Routing::kRequired));
      }
      while (const auto number = one.NextToWrite(clock)) {
        ASSERT_TRUE(open.contains(*number));
        one.Written(*number);
        wire.push_back(*number);
      }
      if (!calm && chance(5)) {
        if (chance(50)) {
          one.ChannelLost();
        } else {
          one.ChannelRefused(clock);
        }
        wire.clear();
        answered.clear();
      }
      if (wire.empty()) continue;
      const std::size_t at = random() % wire.size();
      const bool multiple = chance(30);
      const bool taken = calm || chance(80);
      std::set<Number> expected;
      for (std::size_t i = multiple ? 0 : at; i <= at; ++i) {
        if (!answered.insert(i).second || !open.contains(wire[i])) continue;
        if (!calm && chance(10)) {
          one.Returned({"e", "k"}, one.entry(wire[i]).message);
        } else if (taken) {
          expected.insert(wire[i]);
        }
      }
      const auto done = one.Settle(at + 1, multiple, taken, clock);
      EXPECT_EQ(std::set<Number>(done.begin(), done.end()), expected);
      EXPECT_EQ(done.size(), expected.size());
      for (const auto number : done) open.erase(number);
      ASSERT_EQ(one.size(), open.size());
    }
  }
}

}  // namespace
}  // namespace iq
