// The contract of messages, effects, outcomes and events, with the original's messages.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "tests/e2e/installation.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

std::string Income(std::int64_t user, const std::string& sum) {
  return fmt::format(R"({{"type":"income","userId":{},"sum":{},"details":{{}}}})", user, sum);
}
std::string Withdraw(std::int64_t user, const std::string& sum) {
  return fmt::format(R"({{"type":"withdraw","userId":{},"sum":{},"details":[]}})", user, sum);
}
std::string Transfer(std::int64_t from, std::int64_t to, const std::string& sum) {
  return fmt::format(R"({{"type":"transfer","userId":{},"sum":{},"details":{{"userFromId":{}}}}})",
                     to, sum, from);
}
std::string Lock(const std::string& event, std::int64_t user, const std::string& sum,
                 const std::string& uuid) {
  return fmt::format(
      R"({{"type":"lock","userId":{},"sum":{},"details":{{"event":"{}","uuid":"{}"}}}})", user, sum,
      event, uuid);
}

// One installation and one host for all the cases: each uses users of its own.
class ContractTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    iq_ = std::make_unique<Installation>();
    iq_->StartHosts();
  }
  static void TearDownTestSuite() {
    iq_->StopHosts();
    iq_.reset();
  }

  static Installation& iq() { return *iq_; }

  // A user of this test alone, with an account of `whole` units.
  static std::int64_t User(std::int64_t whole) {
    const std::int64_t user = NewUser();
    iq().OpenAccount(user, whole * 1000);
    return user;
  }
  static std::int64_t NewUser() {
    static std::int64_t last = 1000;
    return ++last;
  }

  // Sends with an id of its own; returns the one event that must follow.
  static json EventOf(const std::string& body, const std::string& id = NewId()) {
    iq().SendWithId(id, body);
    const auto events = iq().NextEvents(1);
    if (events.empty()) {
      ADD_FAILURE() << "no event for " << body << "\n" << iq().Log();
      return json::object();
    }
    json event = json::parse(events[0].body);
    EXPECT_EQ(event["commandId"], id);
    EXPECT_EQ(events[0].key, event["event"]);
    return event;
  }

  // Sends what must be refused with `code` and change nothing; checks every trace it must leave.
  static void ExpectRejected(const std::string& body, const std::string& code) {
    SCOPED_TRACE(body);
    const std::string id = NewId();
    const json event = EventOf(body, id);
    EXPECT_EQ(event["event"], "command.rejected");
    EXPECT_EQ(event["data"]["code"], code);
    EXPECT_EQ(event["data"]["type"], json::parse(body)["type"]);
    const AmqpDelivery dead = iq().NextDead();
    EXPECT_EQ(dead.body, body);
    EXPECT_EQ(dead.properties.message_id, id);
    EXPECT_EQ(dead.properties.headers.at("x-iq-code"), code);
    EXPECT_EQ(dead.properties.headers.at("x-iq-outcome"), "rejected");
    EXPECT_NE(dead.properties.headers.at("x-iq-reason"), "");
    EXPECT_EQ(dead.properties.headers.at("x-iq-attempts"), "1");
    EXPECT_EQ(dead.properties.headers.at("x-iq-type"), json::parse(body)["type"]);
    EXPECT_EQ(dead.properties.headers.at("x-iq-queue"), "billing");
    EXPECT_THAT(dead.properties.headers.at("x-iq-plugin"), testing::HasSubstr("/"));
    EXPECT_THAT(dead.properties.headers.at("x-iq-at"), testing::MatchesRegex("20.*T.*Z"));
    EXPECT_EQ(iq().Outcome(id), "rejected");
    EXPECT_EQ(iq().store().Value("SELECT code FROM iq.journal WHERE message_id = $1", {id}), code);
  }

  // Sends what is no command at all.
  static AmqpDelivery ExpectInvalid(const std::string& body, const std::string& code,
                                    AmqpProperties properties = {}) {
    SCOPED_TRACE(body.substr(0, 200));
    if (properties.message_id.empty()) properties.message_id = NewId();
    iq().Send(body, properties);
    AmqpDelivery dead = iq().NextDead();
    EXPECT_EQ(dead.body, body);
    EXPECT_EQ(dead.properties.message_id, properties.message_id);
    EXPECT_EQ(dead.properties.headers["x-iq-code"], code);
    EXPECT_EQ(dead.properties.headers["x-iq-outcome"], "invalid");
    EXPECT_EQ(iq().Outcome(properties.message_id), "");
    return dead;
  }

  // Type, sum and details of the newest row.
  static json LastLogRow(std::int64_t user) {
    const auto row = iq().store().Rows(
        "SELECT type, sum, details FROM transaction_log WHERE user_id = $1 ORDER BY id DESC LIMIT "
        "1",
        {std::to_string(user)})[0];
    return {std::stoll(row[0]), std::stoll(row[1]), json::parse(row[2])};
  }

  static bool HasHold(const std::string& uuid) {
    return iq().store().Value("SELECT count(*) FROM blocked_money WHERE uuid = $1", {uuid}) == "1";
  }

 private:
  static inline std::unique_ptr<Installation> iq_;
};

TEST_F(ContractTest, IncomeCreditsTheUser) {
  const auto user = User(10);
  const json event = EventOf(Income(user, "12.345"));
  EXPECT_EQ(event["event"], "balance.income");
  EXPECT_EQ(event["data"], json({{"userId", user}, {"sum", 12345}, {"balance", 22345}}));
  EXPECT_EQ(iq().Balance(user), 22345);
  EXPECT_EQ(LastLogRow(user), json({1, 12345, json::object()}));
}

TEST_F(ContractTest, WithdrawDebitsTheUser) {
  const auto user = User(10);
  const json event = EventOf(Withdraw(user, "\"2.5\""));
  EXPECT_EQ(event["event"], "balance.withdraw");
  EXPECT_EQ(event["data"], json({{"userId", user}, {"sum", 2500}, {"balance", 7500}}));
  EXPECT_EQ(iq().Balance(user), 7500);
  EXPECT_EQ(LastLogRow(user), json({2, 2500, json::object()}));
}

TEST_F(ContractTest, TransferMovesBetweenTwoUsers) {
  const auto from = User(10);
  const auto to = User(1);
  const json event = EventOf(Transfer(from, to, "4"));
  EXPECT_EQ(event["event"], "balance.transfer");
  EXPECT_EQ(event["data"]["userId"], to);
  EXPECT_EQ(event["data"]["sum"], 4000);
  EXPECT_EQ(event["data"]["balance"], 5000);
  EXPECT_EQ(event["data"]["userFromId"], from);
  EXPECT_EQ(iq().Balance(from), 6000);
  EXPECT_EQ(iq().Balance(to), 5000);
  EXPECT_EQ(LastLogRow(to), json({4, 4000, {{"user_from_id", from}}}));
}

TEST_F(ContractTest, AHoldIsCaptured) {
  const auto user = User(10);
  const std::string uuid = NewId();
  const json held = EventOf(Lock("lock", user, "3", uuid));
  EXPECT_EQ(held["event"], "balance.lock");
  EXPECT_EQ(
      held["data"],
      json(
          {{"userId", user}, {"sum", 3000}, {"balance", 7000}, {"event", "lock"}, {"uuid", uuid}}));
  EXPECT_TRUE(HasHold(uuid));
  EXPECT_EQ(EventOf(Lock("withdraw", user, "3", uuid))["data"]["balance"], 7000);
  EXPECT_FALSE(HasHold(uuid));
  EXPECT_EQ(iq().Balance(user), 7000);
  EXPECT_EQ(LastLogRow(user)[0], 3);
}

TEST_F(ContractTest, AHoldIsReleased) {
  const auto user = User(10);
  const std::string uuid = "id2 of user " + std::to_string(user);
  EventOf(Lock("lock", user, "3", uuid));
  EXPECT_EQ(EventOf(Lock("unlock", user, "3", uuid))["data"]["balance"], 10000);
  EXPECT_FALSE(HasHold(uuid));
  EXPECT_EQ(iq().Balance(user), 10000);
}

TEST_F(ContractTest, EveryBusinessRefusalHasItsCodeAndChangesNothing) {
  const auto user = User(10);
  const auto nobody = NewUser();
  const auto rich = NewUser();
  iq().OpenAccount(rich, kMax - 500);
  const std::string uuid = NewId();
  EventOf(Lock("lock", user, "1", uuid));

  ExpectRejected(Income(nobody, "1"), "unknown_user");
  ExpectRejected(Income(rich, "1"), "balance_overflow");
  ExpectRejected(Withdraw(nobody, "1"), "unknown_user");
  ExpectRejected(Withdraw(user, "9.001"), "insufficient_funds");
  ExpectRejected(Transfer(nobody, user, "1"), "unknown_user");
  ExpectRejected(Transfer(user, nobody, "1"), "unknown_user");
  ExpectRejected(Transfer(user, user, "1"), "same_user");
  ExpectRejected(Transfer(user, rich, "1"), "balance_overflow");
  ExpectRejected(Transfer(user, rich, "10"), "insufficient_funds");
  ExpectRejected(Lock("lock", nobody, "1", NewId()), "unknown_user");
  ExpectRejected(Lock("lock", user, "10", NewId()), "insufficient_funds");
  ExpectRejected(Lock("lock", user, "1", uuid), "hold_exists");
  ExpectRejected(Lock("withdraw", user, "1", NewId()), "unknown_hold");
  ExpectRejected(Lock("unlock", user, "1", NewId()), "unknown_hold");
  ExpectRejected(Lock("withdraw", user, "2", uuid), "sum_mismatch");
  ExpectRejected(Lock("unlock", user, "0.999", uuid), "sum_mismatch");
  ExpectRejected(Lock("unlock", rich, "1", uuid), "unknown_hold");
  EXPECT_EQ(iq().Balance(user), 9000);
  EXPECT_EQ(iq().Balance(rich), kMax - 500);
  EXPECT_TRUE(HasHold(uuid));
}

TEST_F(ContractTest, MoneyAtItsLimitsIsExact) {
  const auto user = NewUser();
  iq().OpenAccount(user, 0);
  EXPECT_EQ(EventOf(Income(user, "0.001"))["data"]["balance"], 1);
  EXPECT_EQ(EventOf(Income(user, "9223372036854775.806"))["data"]["balance"], kMax);
  EXPECT_EQ(EventOf(Withdraw(user, "9223372036854775.807"))["data"]["balance"], 0);
  EXPECT_EQ(EventOf(Income(user, "9007199254740.993"))["data"]["balance"], 9007199254740993);
}

TEST_F(ContractTest, WhatIsNoMoneyIsASchemaFault) {
  for (const char* sum : {"0", "-1", "0.0001", "1.2345", "1e2", "1E2", "\"1e2\"", "\"\"", "\"-1\"",
                          "\"1.\"", "\" 1\"", "null", "true", "[]", "{}", "9223372036854775.808",
                          "18446744073709551616", "1e400"}) {
    ExpectInvalid(Income(2, sum), "schema");
  }
}

TEST_F(ContractTest, AUserIdIsAnIntegerFromOne) {
  for (const char* user :
       {"0", "-1", "1.5", "\"2\"", "null", "9223372036854775808", "18446744073709551616", "1.0"}) {
    ExpectInvalid(fmt::format(R"({{"type":"income","userId":{},"sum":1}})", user), "schema");
  }
  EXPECT_EQ(EventOf(Withdraw(kMax, "1"))["data"]["code"], "unknown_user");
  iq().NextDead();
}

TEST_F(ContractTest, AMissingFieldIsASchemaFault) {
  ExpectInvalid(R"({"type":"income","sum":1})", "schema");
  ExpectInvalid(R"({"type":"income","userId":2})", "schema");
  ExpectInvalid(R"({"userId":2,"sum":1})", "schema");
  ExpectInvalid(R"({"type":"transfer","userId":2,"sum":5,"details":[]})", "schema");
  ExpectInvalid(R"({"type":"transfer","userId":2,"sum":5})", "schema");
  ExpectInvalid(R"({"type":"lock","userId":2,"sum":5,"details":{"uuid":"x"}})", "schema");
  ExpectInvalid(Lock("steal", 2, "1", "x"), "schema");
  ExpectInvalid(Lock("lock", 2, "1", ""), "schema");
  ExpectInvalid(Lock("lock", 2, "1", std::string(256, 'x')), "schema");
}

TEST_F(ContractTest, WhatIsNotJsonIsMalformed) {
  using std::string_literals::operator""s;
  for (const std::string& body :
       {"{"s, "hello"s, R"({"type":"income","type":"income","userId":2,"sum":1})"s,
        "\xEF\xBB\xBF" + Income(2, "1"), Income(2, "1") + "x", Income(2, "1") + "\0"s,
        Income(2, "1") + Income(2, "1"), R"({"type":"income","x":"\ud800"})"s,
        R"({"type":"income","x":"\u0000"})"s, "{\"type\":\"income\",\"x\":\"\xff\"}"s,
        "{\"x\":" + std::string(40, '[') + std::string(40, ']') + "}"}) {
    ExpectInvalid(body, "malformed");
  }
}

TEST_F(ContractTest, AnUnknownTypeAndATooLargeBodyGoToTheDead) {
  ExpectInvalid(R"({"type":"no.such.type","userId":2,"sum":1})", "unknown_type");
  ExpectInvalid(Income(2, "1") + std::string(256 * 1024, ' '), "too_large");
}

TEST_F(ContractTest, NothingOfABodyIsLogged) {
  const auto user = User(1);
  const std::string marker = "secret-marker";
  ExpectRejected(Lock("lock", user, "5", marker), "insufficient_funds");
  ExpectRejected(Lock("unlock", user, "5", marker), "unknown_hold");
  ExpectInvalid(fmt::format(R"({{"type":"income","userId":"{}","sum":1}})", marker), "schema");
  ExpectInvalid(fmt::format(R"({{"{0}":1,"{0}":2}})", marker), "malformed");
  EXPECT_THAT(iq().Log(), testing::Not(testing::HasSubstr(marker)));
  EXPECT_THAT(iq().Log(), testing::Not(testing::HasSubstr(fmt::format("user {}", user))));
}

TEST_F(ContractTest, ACommandOlderThanTheJournalIsRefused) {
  AmqpProperties properties;
  properties.timestamp = 1'000'000'000;
  ExpectInvalid(Income(2, "1"), "too_old", properties);
}

TEST_F(ContractTest, UnknownFieldsAndAbsentDetailsAreFine) {
  const auto user = User(0);
  EXPECT_EQ(EventOf(fmt::format(R"({{"type":"income","userId":{},"sum":1,"more":[1,{{}}]}})",
                                user))["data"]["balance"],
            1000);
}

TEST_F(ContractTest, ARepeatedCommandChangesNothingAndGetsTheSameEventsAgain) {
  const auto user = User(0);
  const std::string id = NewId();
  const json first = EventOf(Income(user, "1"), id);
  const json again = EventOf(Income(user, "1"), id);
  EXPECT_EQ(first, again);
  EXPECT_EQ(iq().Balance(user), 1000);

  const std::string refused = NewId();
  iq().SendWithId(refused, Withdraw(user, "5"));
  const auto first_refusal = iq().NextEvents(1);
  iq().NextDead();
  iq().OpenAccount(NewUser(), 0);
  EventOf(Income(user, "100"));
  iq().SendWithId(refused, Withdraw(user, "5"));
  const auto second_refusal = iq().NextEvents(1);
  iq().NextDead();
  ASSERT_EQ(second_refusal.size(), 1U);
  EXPECT_EQ(first_refusal[0].body, second_refusal[0].body) << "the first outcome stands";
  EXPECT_EQ(iq().Balance(user), 101000);
}

TEST_F(ContractTest, CopiesInOneBatchTakeEffectOnce) {
  const auto user = User(0);
  std::vector<AmqpPublishing> copies(20, {"billing", "", Income(user, "1"), {}});
  const std::string id = NewId();
  for (auto& copy : copies) copy.properties.message_id = id;
  iq().broker().Publish(copies);
  const auto events = iq().NextEvents(20);
  ASSERT_EQ(events.size(), 20U);
  for (const auto& event : events) EXPECT_EQ(event.body, events[0].body);
  EXPECT_EQ(iq().Balance(user), 1000);
}

TEST_F(ContractTest, TheSameIdWithAnotherBodyIsAConflict) {
  const auto user = User(0);
  const std::string id = NewId();
  EventOf(Income(user, "1"), id);
  iq().SendWithId(id, Income(user, "2"));
  const AmqpDelivery dead = iq().NextDead();
  EXPECT_EQ(dead.properties.headers.at("x-iq-code"), "id_conflict");
  EXPECT_EQ(iq().Balance(user), 1000);
  EXPECT_EQ(iq().Outcome(id), "done");
}

TEST_F(ContractTest, AnyStringServesAsAnId) {
  const auto user = User(0);
  for (const std::string& id : {std::string("order 17/ü"), std::string(255, 'x')}) {
    EventOf(Income(user, "1"), id);
    EventOf(Income(user, "1"), id);
  }
  EXPECT_EQ(iq().Balance(user), 2000);
  const std::string body =
      fmt::format(R"({{"type":"income","userId":{},"sum":1,"id":"in the body"}})", user);
  for (int i = 0; i < 2; ++i) {
    iq().Send(body);
    ASSERT_EQ(iq().NextEvents(1).size(), 1U);
  }
  EXPECT_EQ(iq().Balance(user), 3000);
}

TEST_F(ContractTest, TheOriginalsMessagesWithoutAnyIdAreProcessed) {
  const auto user = User(10);
  const auto other = User(10);
  for (const std::string& body :
       {Income(user, "1"), Withdraw(user, "2"), Transfer(other, user, "5"),
        Lock("lock", user, "2", "id2"), Lock("withdraw", user, "2", "id2")}) {
    iq().Send(body);
    const auto events = iq().NextEvents(1);
    ASSERT_EQ(events.size(), 1U) << body;
    EXPECT_EQ(events[0].key, "balance." + json::parse(body)["type"].get<std::string>());
  }
  EXPECT_EQ(iq().Balance(user), 12000);
  iq().Send(Income(user, "1"));
  iq().Send(Income(user, "1"));
  EXPECT_EQ(iq().NextEvents(2).size(), 2U);
  EXPECT_EQ(iq().Balance(user), 14000);
}

TEST_F(ContractTest, BothRoutingKeysReachTheQueue) {
  const auto user = User(0);
  iq().broker().Publish({{"billing", "billing", Income(user, "1"), {}}});
  ASSERT_EQ(iq().NextEvents(1).size(), 1U);
  EXPECT_EQ(iq().Balance(user), 1000);
}

TEST_F(ContractTest, EventsCarryTheirProperties) {
  const auto user = User(0);
  AmqpProperties properties;
  properties.message_id = NewId();
  properties.correlation_id = "corr-1";
  properties.headers["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  iq().Send(Income(user, "1"), properties);
  const auto events = iq().NextEvents(1);
  ASSERT_EQ(events.size(), 1U);
  const json body = json::parse(events[0].body);
  const auto& event = events[0].properties;
  EXPECT_EQ(event.message_id, body["id"]);
  EXPECT_EQ(event.correlation_id, "corr-1");
  EXPECT_EQ(event.content_type, "application/json");
  EXPECT_EQ(events[0].delivery_mode, 2);
  EXPECT_EQ(event.headers.at("traceparent"), properties.headers["traceparent"]);
  EXPECT_EQ(event.headers.at("cloudEvents_id"), event.message_id);
  EXPECT_EQ(event.headers.at("cloudEvents_type"), "balance.income");
  EXPECT_EQ(event.headers.at("cloudEvents_specversion"), "1.0");
  EXPECT_EQ(event.headers.at("cloudEvents_time"), body["occurredAt"]);
  EXPECT_NE(event.headers.at("cloudEvents_source"), "");
  const json recorded = json::parse(iq().store().Value(
      "SELECT events FROM iq.journal WHERE message_id = $1", {properties.message_id}));
  EXPECT_EQ(recorded, json::array({body}));
}

TEST_F(ContractTest, AReplyIsSentWhereItIsAskedFor) {
  const auto user = User(0);
  AmqpProperties properties;
  properties.message_id = NewId();
  properties.reply_to = iq().broker().DeclareTemporaryQueue();
  properties.correlation_id = "ask-1";
  iq().Send(Income(user, "1"), properties);
  auto replies = iq().broker().Consume(properties.reply_to, 1, 10s);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].properties.correlation_id, "ask-1");
  json reply = json::parse(replies[0].body);
  EXPECT_EQ(reply["id"], properties.message_id);
  EXPECT_EQ(reply["type"], "income");
  EXPECT_EQ(reply["outcome"], "done");
  EXPECT_EQ(reply["events"][0]["data"]["balance"], 1000);
  iq().NextEvents(1);

  properties.message_id = NewId();
  iq().Send(Withdraw(user, "5"), properties);
  replies = iq().broker().Consume(properties.reply_to, 1, 10s);
  ASSERT_EQ(replies.size(), 1U);
  reply = json::parse(replies[0].body);
  EXPECT_EQ(reply["outcome"], "rejected");
  EXPECT_EQ(reply["code"], "insufficient_funds");
  iq().NextEvents(1);
  iq().NextDead();

  properties.message_id = NewId();
  iq().Send("{", properties);
  replies = iq().broker().Consume(properties.reply_to, 1, 10s);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(json::parse(replies[0].body)["code"], "malformed");
  iq().NextDead();
}

TEST_F(ContractTest, ADeadCopyKeepsPropertiesAndHeaders) {
  AmqpProperties properties;
  properties.message_id = NewId();
  properties.correlation_id = "corr";
  properties.app_id = "shop";
  properties.content_type = "application/json";
  properties.headers["tenant"] = "a";
  const AmqpDelivery dead = ExpectInvalid("{", "malformed", properties);
  EXPECT_EQ(dead.properties.correlation_id, "corr");
  EXPECT_EQ(dead.properties.app_id, "shop");
  EXPECT_EQ(dead.properties.headers.at("tenant"), "a");
  EXPECT_EQ(dead.delivery_mode, 2);
}

// A frame holds all of a message's headers, and a copy adds some: what came with a full frame must
// still find its way to the dead letters, and its worker go on.
TEST_F(ContractTest, AMessageWhoseHeadersFillAFrameIsDeadLetteredWithoutTheLongest) {
  AmqpProperties properties;
  properties.message_id = NewId();
  properties.headers = {{"small", "kept"}, {"large", std::string(130'000, 'x')}};
  iq().Send("{", properties);
  const AmqpDelivery dead = iq().NextDead();
  EXPECT_EQ(dead.properties.headers.at("x-iq-code"), "malformed");
  EXPECT_EQ(dead.properties.headers.at("small"), "kept");
  EXPECT_EQ(dead.properties.headers.at("x-iq-dropped-headers"), "large");
  EXPECT_FALSE(dead.properties.headers.contains("large"));
  EventOf(Income(User(0), "1"));
}

TEST_F(ContractTest, AnIdWithANulByteServes) {
  const std::int64_t user = User(0);
  iq().SendWithId(std::string("a\0b", 3) + NewId(), Income(user, "1"));
  EXPECT_TRUE(Eventually(10s, [&] { return iq().Balance(user) == 1000; })) << iq().Log();
  EXPECT_EQ(iq().NextEvents(1).size(), 1U);
}

}  // namespace
}  // namespace iq::test
