#include "host/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "host/bus.h"
#include "tests/unit/noted_commands.h"

namespace iq {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Where each of them goes.
std::vector<std::string> Addresses(const std::vector<Outgoing>& answers) {
  std::vector<std::string> addresses;
  addresses.reserve(answers.size());
  for (const Outgoing& answer : answers) {
    addresses.push_back(answer.address.exchange + "/" + answer.address.routing_key);
  }
  return addresses;
}

class AnswersTest : public testing::Test {
 protected:
  AnswersTest() {
    consumer_.queue = "work";
    item_.command = MakeCommand("x");
    item_.command->type = "income";
    item_.command->delivery.message.reply_to = "sender";
  }

  void EndAs(Outcome outcome) { item_.verdict = Verdict::Of(outcome, "code", "reason"); }

  void AddEvent() {
    item_.verdict->events.push_back(MakeEvent(*item_.command, 0, "balance.income", "{}", "now"));
  }

  Config config_;
  ConsumerConfig consumer_;
  Answers answers_{config_, consumer_, ""};
  Answers listener_answers_{config_, consumer_, "ledger"};
  Item item_;
};

TEST_F(AnswersTest, WhatIsDoneSendsItsEventsAndItsReply) {
  item_.verdict = Verdict{};
  EXPECT_THAT(Addresses(answers_.ToEnd(item_)), ElementsAre("/sender"));
  AddEvent();
  EXPECT_THAT(Addresses(answers_.ToEnd(item_)),
              ElementsAre("billing.events/balance.income", "/sender"));
}

TEST_F(AnswersTest, AnEndThatNobodyRecordedIsAnEventToo) {
  EndAs(Outcome::kFailed);
  EXPECT_THAT(Addresses(answers_.ToEnd(item_)),
              ElementsAre("billing.events/command.failed", "/billing.dead", "/sender"));
  EndAs(Outcome::kRejected);
  EXPECT_THAT(Addresses(answers_.ToEnd(item_)),
              ElementsAre("billing.events/command.rejected", "/billing.dead", "/sender"));
  AddEvent();
  EXPECT_THAT(Addresses(answers_.ToEnd(item_)),
              ElementsAre("billing.events/balance.income", "/billing.dead", "/sender"));
}

TEST_F(AnswersTest, TheReplyHasTheEventsThatGoOut) {
  EndAs(Outcome::kFailed);
  const std::vector<Outgoing> answers = answers_.ToEnd(item_);
  const auto reply = nlohmann::json::parse(answers.back().message.body);
  EXPECT_EQ(reply["events"],
            nlohmann::json::array({nlohmann::json::parse(answers.front().message.body)}));
}

TEST_F(AnswersTest, ADeadLetterSaysWhereItCameFromAndHowOftenItWasTried) {
  EndAs(Outcome::kInvalid);
  item_.command->attempt = 3;
  item_.plugin = "income/1.0.0";
  const Headers of_end = answers_.ToEnd(item_).front().message.headers;
  EXPECT_EQ(*of_end.at("x-iq-queue").text(), "work");
  EXPECT_EQ(*of_end.at("x-iq-plugin").text(), "income/1.0.0");
  EXPECT_EQ(std::get<std::int64_t>(of_end.at("x-iq-attempts").value), 3);
  const Headers of_refusal = answers_.ToRefusal({}, *item_.verdict).front().message.headers;
  EXPECT_EQ(*of_refusal.at("x-iq-queue").text(), "work");
  EXPECT_EQ(std::get<std::int64_t>(of_refusal.at("x-iq-attempts").value), 1);
}

TEST_F(AnswersTest, WhoAsksForNoReplyGetsNone) {
  item_.verdict = Verdict{};
  item_.command->delivery.message.reply_to.clear();
  EXPECT_THAT(Addresses(answers_.ToEnd(item_)), IsEmpty());
}

TEST_F(AnswersTest, WhatIsNoCommandIsNoEvent) {
  EndAs(Outcome::kInvalid);
  EXPECT_THAT(Addresses(answers_.ToEnd(item_)), ElementsAre("/billing.dead", "/sender"));
  Refusal refusal;
  refusal.delivery.message.reply_to = "sender";
  EXPECT_THAT(Addresses(answers_.ToRefusal(refusal, *item_.verdict)),
              ElementsAre("/billing.dead", "/sender"));
  EXPECT_THAT(Addresses(listener_answers_.ToRefusal(refusal, *item_.verdict)),
              ElementsAre("/billing.dead"));
}

TEST_F(AnswersTest, ThatAListenerRefusesAnEventIsNoEventAndHasNoReply) {
  EndAs(Outcome::kFailed);
  EXPECT_THAT(Addresses(listener_answers_.ToEnd(item_)), ElementsAre("/billing.dead"));
  item_.verdict = Verdict{};
  EXPECT_THAT(Addresses(listener_answers_.ToEnd(item_)), IsEmpty());
}

TEST_F(AnswersTest, WhatIsTriedAgainGoesIntoTheDelayQueueOfItsOwnQueue) {
  config_.retry.delays = {std::chrono::milliseconds(1000)};
  EXPECT_THAT(Addresses(answers_.ToRetry(item_)), ElementsAre("/work.delay.1000ms"));
}

}  // namespace
}  // namespace iq
