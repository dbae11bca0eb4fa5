// The broker within an SQLite file: messages, topology, delays, inspection and browsing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "host/base/error.h"
#include "tests/integration/embedded_broker_fixture.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Clock = std::chrono::steady_clock;

class EmbeddedBroker : public test::EmbeddedTest {
 protected:
  // Whether a message with this routing key reaches a queue that is bound with `pattern`.
  bool Matches(const std::string& pattern, const std::string& key) {
    const auto subscriber = broker().Subscribe("topics", pattern);
    Send({"topics", key}, Text("x"), Routing::kOptional);
    return !subscriber->Receive(1, 0ms).empty();
  }
};

template <typename Error, typename Call>
std::string Thrown(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

template <typename T>
T As(const HeaderValue& header) {
  return std::get<T>(header.value);
}

TEST_F(EmbeddedBroker, IsNamedByItsFileAndDoesNotOpenItYet) {
  const auto elsewhere = OpenBroker("sqlite:/no/such/directory/iq.db", "test");
  EXPECT_EQ(elsewhere->name(), "sqlite file /no/such/directory/iq.db");
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_THROW((void)OpenBroker("sqlite:", "test"), UsageError);
  EXPECT_THAT(Thrown<UsageError>([] { (void)OpenBroker("redis://h", "test"); }),
              AllOf(HasSubstr("amqp://"), HasSubstr("sqlite:PATH")));
}

TEST_F(EmbeddedBroker, PropertiesAndHeadersArriveAsTheyWerePublished) {
  const auto queue = DeclareQueue("q");
  Message sent = Text(std::string("a\0\xff", 3));
  sent.message_id = "m1";
  sent.correlation_id = "c\xc3(";
  sent.reply_to = "r1";
  sent.type = "income";
  sent.content_type = "application/json";
  sent.content_encoding = "identity";
  sent.app_id = "test";
  sent.priority = 3;
  sent.timestamp_s = 1'700'000'000;
  const HeaderValue::Table inner{{"n", {std::int64_t{-5}}}, {"none", {}}};
  sent.headers = {{"text", {std::string("ä")}},
                  {"bytes", {std::string("\xff\x00\x80", 3)}},
                  {"\xfe", {std::string("a key of bytes")}},
                  {"$hex", {std::string("41")}},
                  {"yes", {true}},
                  {"big", {std::int64_t{1} << 62}},
                  {"one", {1.0}},
                  {"nan", {std::nan("")}},
                  {"inf", {-std::numeric_limits<double>::infinity()}},
                  {"list", {HeaderValue::List{{std::string("x")}, {inner}}}},
                  {"table", {HeaderValue::Table{{"$hex", {std::string("no bytes")}}}}}};
  Send({"", queue}, sent);

  const auto consumer = broker().Consume(queue, 10);
  const auto got = ReceiveSome(*consumer, 1);
  ASSERT_THAT(got, SizeIs(1));
  const Message& message = got[0].message;
  EXPECT_EQ(got[0].address.exchange, "");
  EXPECT_EQ(got[0].address.routing_key, queue);
  EXPECT_FALSE(got[0].redelivered);
  EXPECT_EQ(message.body, sent.body);
  EXPECT_EQ(message.message_id, "m1");
  EXPECT_EQ(message.correlation_id, sent.correlation_id);
  EXPECT_EQ(message.reply_to, "r1");
  EXPECT_EQ(message.type, "income");
  EXPECT_EQ(message.content_type, "application/json");
  EXPECT_EQ(message.content_encoding, "identity");
  EXPECT_EQ(message.app_id, "test");
  EXPECT_EQ(message.priority, 3);
  EXPECT_EQ(message.timestamp_s, 1'700'000'000U);
  ASSERT_THAT(message.headers, SizeIs(sent.headers.size()));
  for (const char* name : {"text", "bytes", "\xfe", "$hex"}) {
    EXPECT_EQ(*message.headers.at(name).text(), *sent.headers.at(name).text()) << name;
  }
  EXPECT_TRUE(As<bool>(message.headers.at("yes")));
  EXPECT_EQ(As<std::int64_t>(message.headers.at("big")), std::int64_t{1} << 62);
  EXPECT_EQ(As<double>(message.headers.at("one")), 1.0);
  EXPECT_TRUE(std::isnan(As<double>(message.headers.at("nan"))));
  EXPECT_LT(As<double>(message.headers.at("inf")), std::numeric_limits<double>::lowest());
  const auto list = As<HeaderValue::List>(message.headers.at("list"));
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(*list[0].text(), "x");
  const auto second = As<HeaderValue::Table>(list[1]);
  EXPECT_EQ(As<std::int64_t>(second.at("n")), -5);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(second.at("none").value));
  const auto table = As<HeaderValue::Table>(message.headers.at("table"));
  EXPECT_EQ(*table.at("$hex").text(), "no bytes");
}

TEST_F(EmbeddedBroker, LargeBodiesAndEmptyOnesArriveWhole) {
  const auto queue = DeclareQueue("q");
  const std::string large(3'000'000, 'x');
  Fill(queue, {large, ""});
  const auto consumer = broker().Consume(queue, 10);
  const auto got = ReceiveSome(*consumer, 2);
  ASSERT_THAT(got, SizeIs(2));
  EXPECT_TRUE(got[0].message.body == large);
  EXPECT_EQ(got[1].message.body, "");
}

TEST_F(EmbeddedBroker, WhatTheBrokerRefusesToCarryIsNotPublished) {
  const auto queue = DeclareQueue("q");
  Message message = Text("x");
  message.user_id = "somebody";
  message.expiration = "1";
  message.headers = {{"CC", {std::string("other")}}, {"kept", {std::string("yes")}}};
  Send({"", queue}, message);
  const auto consumer = broker().Consume(queue, 10);
  const auto got = ReceiveSome(*consumer, 1);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].message.user_id, "");
  EXPECT_EQ(got[0].message.expiration, "");
  EXPECT_THAT(got[0].message.headers, SizeIs(1));
}

TEST_F(EmbeddedBroker, ADirectExchangeRoutesByTheWholeKey) {
  DeclareExchange("e", "direct");
  for (const char* queue : {"a", "b"}) DeclareQueue(queue);
  Bind("e", "a", "");
  Bind("e", "a", "x");
  Bind("e", "b", "x");
  Bind("e", "b", "*");
  Send({"e", ""}, Text("1"));
  Send({"e", "x"}, Text("2"));
  Send({"e", "*"}, Text("3"));
  Send({"e", "y"}, Text("4"), Routing::kOptional);
  EXPECT_THAT(Ready("a"), ElementsAre("1", "2"));
  EXPECT_THAT(Ready("b"), ElementsAre("2", "3"));
}

TEST_F(EmbeddedBroker, AMessageReachesAQueueOnceThroughSeveralBindings) {
  DeclareExchange("e", "topic");
  DeclareQueue("q");
  Bind("e", "q", "a.*");
  Bind("e", "q", "#");
  Send({"e", "a.b"}, Text("1"));
  EXPECT_THAT(Ready("q"), ElementsAre("1"));
}

TEST_F(EmbeddedBroker, TopicPatternsMatchWordByWord) {
  DeclareExchange("topics", "topic");
  EXPECT_TRUE(Matches("balance.*", "balance.income"));
  EXPECT_FALSE(Matches("balance.*", "balance"));
  EXPECT_FALSE(Matches("balance.*", "balance.lock.held"));
  EXPECT_FALSE(Matches("balance.*", "balances.x"));
  EXPECT_TRUE(Matches("*.*", "a."));
  EXPECT_TRUE(Matches("#", ""));
  EXPECT_TRUE(Matches("#", "a.b.c"));
  EXPECT_TRUE(Matches("balance.#", "balance"));
  EXPECT_TRUE(Matches("balance.#", "balance.lock.held"));
  EXPECT_TRUE(Matches("#.held", "balance.lock.held"));
  EXPECT_FALSE(Matches("#.held", "balance.lock"));
  EXPECT_TRUE(Matches("a.#.b", "a.b"));
  EXPECT_TRUE(Matches("a.#.b", "a.x.y.b"));
  EXPECT_FALSE(Matches("a.#.b", "a.x.y.c"));
  EXPECT_TRUE(Matches("#.*.#", "a"));
  EXPECT_FALSE(Matches("*", ""));
  EXPECT_TRUE(Matches("", ""));
  EXPECT_FALSE(Matches("", "a"));
  EXPECT_FALSE(Matches("#.#.#.#.#.#.#.#.#.#.#.#.z", std::string(400, '.')));
}

TEST_F(EmbeddedBroker, ATopologyIsDeclaredAndMayBeDeclaredAgain) {
  Topology topology;
  topology.exchanges.push_back({"e", "topic", "events.exchange"});
  topology.queues.push_back({"q", {{"x-queue-type", {std::string("quorum")}}}, "s"});
  topology.bindings.push_back({"e", "q", "a.#"});
  broker().Declare(topology);
  broker().Declare(topology);
  OpenAnother()->Declare(topology);
  Send({"e", "a.b"}, Text("x"));
  EXPECT_THAT(Ready("q"), ElementsAre("x"));
}

TEST_F(EmbeddedBroker, AMismatchNamesTheQueueAndTheSettingThatMendsIt) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"x"});
  const auto text = Thrown<TopologyMismatch>([&] {
    DeclareQueue("q", {{"x-queue-type", {std::string("quorum")}}});
  });
  EXPECT_THAT(text,
              AllOf(HasSubstr("queue \"q\""), HasSubstr("x-queue-type"), HasSubstr("quorum"),
                    HasSubstr("set consumers[0].queue_type"), HasSubstr("sqlite3 " + path())));
  EXPECT_THAT(Ready(queue), ElementsAre("x"));
}

TEST_F(EmbeddedBroker, AMismatchedExchangeNamesTheSetting) {
  DeclareExchange("e", "direct");
  const auto text = Thrown<TopologyMismatch>([&] { DeclareExchange("e", "topic"); });
  EXPECT_THAT(text, AllOf(HasSubstr("\"e\""), HasSubstr("events.exchange")));
}

TEST_F(EmbeddedBroker, AMismatchLeavesEverythingAsItIs) {
  DeclareQueue("q");
  Topology topology;
  topology.queues.push_back({"new", {}, "s"});
  topology.queues.push_back({"q", {{"x-message-ttl", {std::int64_t{1}}}}, "s"});
  EXPECT_THROW(broker().Declare(topology), TopologyMismatch);
  EXPECT_FALSE(broker().Inspect("new"));
}

// The mend that a mismatch's text names.
TEST_F(EmbeddedBroker, AQueueDeletedByHandLeavesNothingBehind) {
  DeclareExchange("e", "topic");
  DeclareQueue("q");
  Bind("e", "q", "#");
  Fill("q", {"a", "b"});
  auto file = File();
  file.RunScript("PRAGMA foreign_keys = OFF; DELETE FROM iq_broker_queue WHERE name = 'q'");
  for (const char* table : {"message", "queued", "binding"}) {
    auto count = file.Prepare(fmt::format("SELECT count(*) FROM iq_broker_{}", table));
    count.Step();
    EXPECT_EQ(count.Integer(0), 0) << table;
  }
  EXPECT_FALSE(broker().Inspect("q"));
}

TEST_F(EmbeddedBroker, InspectCountsAndKnowsWhatIsNotThere) {
  const auto queue = DeclareQueue("q");
  EXPECT_FALSE(broker().Inspect("none"));
  Fill(queue, {"a", "b"});
  EXPECT_EQ(broker().Inspect(queue)->ready, 2U);
  EXPECT_EQ(broker().Inspect(queue)->consumers, 0U);
  const auto consumer = broker().Consume(queue, 1);
  ASSERT_THAT(ReceiveSome(*consumer, 1), SizeIs(1));
  EXPECT_EQ(broker().Inspect(queue)->ready, 1U);
  EXPECT_EQ(broker().Inspect(queue)->consumers, 1U);
  consumer->Cancel();
  EXPECT_EQ(broker().Inspect(queue)->consumers, 0U);
}

TEST_F(EmbeddedBroker, MessagesStayWhenEverythingIsClosed) {
  {
    const auto first = OpenAnother();
    Topology topology;
    topology.queues.push_back({"q", {}, "s"});
    first->Declare(topology);
    const auto publisher = first->OpenPublisher();
    publisher->Publish({"", "q"}, Text("a"), Routing::kRequired);
    ASSERT_TRUE(ConfirmAll(*publisher));
  }
  EXPECT_THAT(Ready("q"), ElementsAre("a"));
}

TEST_F(EmbeddedBroker, ABrowserRemovesSomeAndLeavesTheRestInPlace) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c", "d"});
  {
    const auto browser = broker().Browse(queue);
    std::string seen;
    while (const auto delivery = browser->Next()) {
      seen += delivery->message.body;
      if (delivery->message.body == "b") browser->Remove(*delivery);
    }
    EXPECT_EQ(seen, "abcd");
    EXPECT_EQ(broker().Inspect(queue)->ready, 0U) << "it holds what it has come to";
  }
  EXPECT_THAT(Ready(queue), ElementsAre("a", "c", "d"));
}

TEST_F(EmbeddedBroker, WhatABrowserHasLookedAtIsMarkedAsRedelivered) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a"});
  EXPECT_THAT(Ready(queue), ElementsAre("a"));
  const auto consumer = broker().Consume(queue, 1);
  const auto got = ReceiveSome(*consumer, 1);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_TRUE(got[0].redelivered);
}

TEST_F(EmbeddedBroker, ABrowserSeesWhatArrivesWhileItWalks) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a"});
  const auto browser = broker().Browse(queue);
  EXPECT_TRUE(browser->Next());
  EXPECT_FALSE(browser->Next());
  Fill(queue, {"b"});
  const auto next = browser->Next();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->message.body, "b");
}

TEST_F(EmbeddedBroker, AWalkThroughTenThousandMessagesTakesSeconds) {
  const auto queue = DeclareQueue("q");
  Fill(queue, Numbers(10'000));
  const auto began = Clock::now();
  {
    const auto browser = broker().Browse(queue);
    for (int i = 0; const auto delivery = browser->Next(); ++i) {
      if (i % 2 == 0) browser->Remove(*delivery);
    }
  }
  const std::chrono::duration<double> took = Clock::now() - began;
  RecordProperty("seconds", std::to_string(took.count()));
  EXPECT_LT(took, 10s);
  EXPECT_EQ(broker().Inspect(queue)->ready, 5'000U);
}

TEST_F(EmbeddedBroker, ABrowserRemovesManyOrNone) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c"});
  std::vector<std::uint64_t> tags;
  {
    const auto browser = broker().Browse(queue);
    while (const auto delivery = browser->Next()) tags.push_back(delivery->tag);
    browser->Remove(std::span(tags).first(2));
    EXPECT_THROW(browser->Remove(std::span(tags).last(2)), Unavailable) << "one is gone already";
  }
  EXPECT_THAT(Ready(queue), ElementsAre("c"));
}

TEST_F(EmbeddedBroker, ThereIsNoWalkThroughAQueueThatIsNotThere) {
  EXPECT_THAT(Thrown<UsageError>([&] { (void)broker().Browse("none"); }), HasSubstr("none"));
}

TEST_F(EmbeddedBroker, ABrokenWalkIsUnavailableAndLosesNothing) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b"});
  const auto browser = broker().Browse(queue);
  const auto first = browser->Next();
  ASSERT_TRUE(first);
  File().RunScript("UPDATE iq_broker_queued SET held_by = 0");
  EXPECT_THROW(browser->Remove(*first), Unavailable);
  EXPECT_THROW((void)browser->Next(), Unavailable);
  EXPECT_THAT(Ready(queue), ElementsAre("a", "b"));
}

TEST_F(EmbeddedBroker, ADelayQueueGivesItsMessagesBackAsTheyWere) {
  const auto queue = DeclareQueue("q");
  const auto delay = DeclareDelay("delay", 300, queue);
  const auto consumer = broker().Consume(queue, 10);
  Message message = Text("later");
  message.message_id = "m";
  message.headers = {{"x-iq-attempts", {std::int64_t{1}}}};
  const auto began = Clock::now();
  Send({"", delay}, message);
  Fill(queue, {"now"});
  EXPECT_THAT(Bodies(ReceiveSome(*consumer, 1)), ElementsAre("now"));
  const auto got = consumer->Receive(1, 10s);
  const auto waited = Clock::now() - began;
  ASSERT_THAT(Bodies(got), ElementsAre("later"));
  EXPECT_GE(waited, 299ms);
  EXPECT_LT(waited, 2s);
  EXPECT_FALSE(got[0].redelivered);
  EXPECT_EQ(got[0].address.exchange, "");
  EXPECT_EQ(got[0].address.routing_key, queue);
  EXPECT_EQ(got[0].message.message_id, "m");
  EXPECT_EQ(As<std::int64_t>(got[0].message.headers.at("x-iq-attempts")), 1);
  EXPECT_EQ(broker().Inspect(delay)->ready, 0U);
}

TEST_F(EmbeddedBroker, WhatIsDueMovesWhoeverLooksAndKeepsItsOrder) {
  const auto queue = DeclareQueue("q");
  const auto delay = DeclareDelay("delay", 50, queue);
  Fill(delay, Numbers(1200));
  EXPECT_TRUE(test::Eventually(kDeadline, [&] { return broker().Inspect(queue)->ready == 1200; }));
  EXPECT_EQ(Ready(queue), Numbers(1200));
}

TEST_F(EmbeddedBroker, WhatIsDueAndLeadsNowhereIsKeptAndTriedAgain) {
  const auto delay = DeclareDelay("delay", 1, "missing");
  Fill(delay, {"a", "b"});
  DeclareQueue("other");
  const auto consumer = broker().Consume("other", 1);
  EXPECT_THAT(consumer->Receive(1, 100ms), IsEmpty());
  EXPECT_EQ(broker().Inspect(delay)->ready, 2U);
  DeclareQueue("missing");
  EXPECT_TRUE(test::Eventually(kDeadline, [&] { return broker().Inspect("missing")->ready == 2; }));
}

TEST_F(EmbeddedBroker, AClockThatWasSetBackKeepsNoMessageForLongerThanItsTime) {
  const auto queue = DeclareQueue("q");
  const auto delay = DeclareDelay("delay", 100, queue);
  Fill(delay, {"a"});
  File().RunScript("UPDATE iq_broker_queued SET expires_ms = expires_ms + 3600000");
  EXPECT_TRUE(test::Eventually(kDeadline, [&] { return broker().Inspect(queue)->ready == 1; }));
}

TEST_F(EmbeddedBroker, WithoutADeadLetterExchangeWhatExpiresIsDropped) {
  DeclareQueue("q", {{"x-message-ttl", {std::int64_t{1}}}});
  Fill("q", {"a"});
  EXPECT_TRUE(test::Eventually(kDeadline, [&] { return broker().Inspect("q")->ready == 0; }));
}

TEST_F(EmbeddedBroker, ASubscriptionGetsWhatMatchesFromTheMomentItIsMadeAndLeavesNothing) {
  DeclareExchange("e", "topic");
  Send({"e", "balance.income"}, Text("before"), Routing::kOptional);
  {
    const auto subscriber = broker().Subscribe("e", "balance.*");
    Send({"e", "balance.income"}, Text("a"));
    Send({"e", "command.failed"}, Text("b"), Routing::kOptional);
    Send({"e", "balance.lock"}, Text("c"));
    const auto got = ReceiveSome(*subscriber, 2);
    EXPECT_THAT(Bodies(got), ElementsAre("a", "c"));
    EXPECT_EQ(got[1].address.exchange, "e");
    EXPECT_EQ(got[1].address.routing_key, "balance.lock");
    EXPECT_THAT(subscriber->Receive(10, 20ms), IsEmpty());
    Send({"e", "balance.lock"}, Text("never received"));
  }
  auto file = File();
  auto left = file.Prepare(
      "SELECT (SELECT count(*) FROM iq_broker_message) + (SELECT count(*) FROM iq_broker_queue) + "
      "(SELECT count(*) FROM iq_broker_binding) + (SELECT count(*) FROM iq_broker_consumer)");
  left.Step();
  EXPECT_EQ(left.Integer(0), 0);
}

TEST_F(EmbeddedBroker, ThereIsNoSubscriptionToAnExchangeThatIsNotThere) {
  EXPECT_THAT(Thrown<Unavailable>([&] { (void)broker().Subscribe("none", "#"); }),
              HasSubstr("no exchange \"none\""));
}

TEST_F(EmbeddedBroker, AReplyQueueIsReachedByItsNameAndGoneWithItsConsumer) {
  auto replies = broker().OpenReplyQueue();
  const auto others = broker().OpenReplyQueue();
  EXPECT_NE(replies.name, others.name);
  Send({"", replies.name}, Text("answer"));
  EXPECT_THAT(Bodies(replies.consumer->Receive(10, 10s)), ElementsAre("answer"));
  EXPECT_THAT(others.consumer->Receive(10, 0ms), IsEmpty());
  EXPECT_TRUE(broker().Inspect(replies.name));
  replies.consumer.reset();
  EXPECT_FALSE(broker().Inspect(replies.name));
  Send({"", replies.name}, Text("too late"), Routing::kOptional);
}

TEST_F(EmbeddedBroker, AFileThatIsNoneIsUnavailable) {
  std::ofstream(path()) << std::string(5000, 'x');
  for (const auto& text : {Thrown<Unavailable>([&] { broker().Declare({}); }),
                           Thrown<Unavailable>([&] { (void)broker().Inspect("q"); }),
                           Thrown<Unavailable>([&] { (void)broker().Browse("q"); }),
                           Thrown<Unavailable>([&] { (void)broker().OpenReplyQueue(); }),
                           Thrown<Unavailable>([&] { (void)broker().Subscribe("e", "#"); })}) {
    EXPECT_THAT(text, AllOf(HasSubstr(path()), HasSubstr("no SQLite file")));
  }
}

TEST_F(EmbeddedBroker, AFileThatIsMissingBesideItsLogIsNotMadeAnew) {
  DeclareQueue("q");
  const auto consumer = broker().Consume("q", 1);
  (void)consumer->Receive(1, 0ms);
  for (const bool empty_log : {false, true}) {
    if (empty_log) File().RunScript("PRAGMA wal_checkpoint(TRUNCATE)");
    MoveAway();
    EXPECT_THAT(Thrown<Unavailable>([&] { (void)broker().Inspect("q"); }),
                AllOf(HasSubstr(path() + "-wal"), HasSubstr("put it back")));
    EXPECT_FALSE(std::filesystem::exists(path()));
    PutBack();
    EXPECT_TRUE(broker().Inspect("q"));
  }
}

TEST_F(EmbeddedBroker, ALinkToItsFileIsTheSameBroker) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a"});
  const std::string link = directory() + "/link.db";
  std::filesystem::create_symlink("iq.db", link);
  const auto linked = OpenBroker("sqlite:" + link, "test");
  const auto consumer = linked->Consume(queue, 1);
  ASSERT_THAT(ReceiveSome(*consumer, 1), SizeIs(1));
  EXPECT_EQ(broker().Inspect(queue)->ready, 0U) << "who holds it is not taken for dead";
  EXPECT_EQ(broker().Inspect(queue)->consumers, 1U);
}

TEST_F(EmbeddedBroker, NobodyElseMayReadItsFiles) {
  const auto consumer = broker().Consume(DeclareQueue("q"), 1);
  (void)consumer->Receive(1, 0ms);
  for (const char* suffix : {"", "-wal", "-shm", "-consumers"}) {
    EXPECT_EQ(
        std::filesystem::status(path() + suffix).permissions() & std::filesystem::perms::others_all,
        std::filesystem::perms::none)
        << suffix;
  }
}

TEST_F(EmbeddedBroker, DamagedArgumentsOfAQueueAreUnavailableAndNamed) {
  DeclareQueue("q");
  const auto consumer = broker().Consume("q", 1);
  const auto publisher = broker().OpenPublisher();
  (void)consumer->Receive(1, 0ms);
  auto file = File();
  for (const char* const damage : {"no JSON", R"({"x": {"$hex": 1}})"}) {
    file.Prepare("UPDATE iq_broker_queue SET arguments = ?1").Bind(1, damage).Run();
    file.RunScript("UPDATE iq_broker_meta SET topology = topology + 1");
    for (const auto& text : {Thrown<Unavailable>([&] { DeclareQueue("q"); }),
                             Thrown<Unavailable>([&] { (void)broker().Inspect("q"); }),
                             Thrown<Unavailable>([&] { (void)broker().Browse("q"); })}) {
      EXPECT_THAT(text,
                  AllOf(HasSubstr(path()), HasSubstr("queue \"q\""), HasSubstr("mend its row")));
    }
    publisher->Publish({"", "q"}, Text("a"), Routing::kRequired);
    EXPECT_NO_THROW((void)publisher->Collect(0ms));
    EXPECT_THAT(consumer->Receive(1, 0ms), IsEmpty());
    EXPECT_FALSE(consumer->connected());
  }
  file.RunScript(
      "UPDATE iq_broker_queue SET arguments = '{}'; UPDATE iq_broker_meta SET topology = -2");
  EXPECT_TRUE(ConfirmAll(*publisher));
  EXPECT_THAT(ReceiveSome(*consumer, 1), SizeIs(1));
}

TEST_F(EmbeddedBroker, TablesOfALaterReleaseAreLeftAlone) {
  DeclareQueue("q");
  File().RunScript("UPDATE iq_broker_meta SET version = 2");
  EXPECT_THAT(Thrown<Unavailable>([&] { (void)broker().Inspect("q"); }),
              AllOf(HasSubstr("version 2"), HasSubstr("knows version 1")));
}

TEST_F(EmbeddedBroker, TablesThatAreNotAsTheyShouldBeAreUnavailable) {
  DeclareQueue("q");
  File().RunScript("DROP TABLE iq_broker_queued");
  EXPECT_THAT(Thrown<Unavailable>([&] { (void)broker().Inspect("q"); }),
              HasSubstr("iq_broker_queued"));
  const auto consumer = broker().Consume("q", 1);
  EXPECT_THAT(consumer->Receive(1, 0ms), IsEmpty());
  EXPECT_FALSE(consumer->connected());
}

}  // namespace
}  // namespace iq
