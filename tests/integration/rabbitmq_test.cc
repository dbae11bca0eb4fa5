// The broker's driver against a real RabbitMQ: messages, topology, inspection and browsing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "host/base/error.h"
#include "tests/integration/rabbitmq_fixture.h"
#include "tests/support/tcp_proxy.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class RabbitBroker : public test::RabbitTest {};

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

TEST_F(RabbitBroker, PropertiesAndHeadersArriveAsTheyWerePublished) {
  const auto queue = DeclareQueue("q");
  Message sent = Text(std::string("a\0b", 3));
  sent.message_id = "m1";
  sent.correlation_id = "c1";
  sent.reply_to = "r1";
  sent.type = "income";
  sent.content_type = "application/json";
  sent.content_encoding = "identity";
  sent.app_id = "test";
  sent.priority = 3;
  sent.timestamp_s = 1'700'000'000;
  const HeaderValue::Table inner{{"n", {std::int64_t{-5}}}, {"none", {}}};
  sent.headers = {{"text", {std::string("ä")}},
                  {"yes", {true}},
                  {"big", {std::int64_t{1} << 62}},
                  {"half", {0.5}},
                  {"list", {HeaderValue::List{{std::string("x")}, {inner}}}},
                  {"table", {HeaderValue::Table{{"deep", {inner}}}}}};
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"", queue}, sent, Publisher::Routing::kRequired);
  ASSERT_TRUE(ConfirmAll(*publisher));

  const auto consumer = broker().Consume(queue, 10);
  const auto got = ReceiveSome(*consumer, 1);
  ASSERT_THAT(got, SizeIs(1));
  const Message& message = got[0].message;
  EXPECT_EQ(got[0].address.exchange, "");
  EXPECT_EQ(got[0].address.routing_key, queue);
  EXPECT_FALSE(got[0].redelivered);
  EXPECT_EQ(message.body, sent.body);
  EXPECT_EQ(message.message_id, "m1");
  EXPECT_EQ(message.correlation_id, "c1");
  EXPECT_EQ(message.reply_to, "r1");
  EXPECT_EQ(message.type, "income");
  EXPECT_EQ(message.content_type, "application/json");
  EXPECT_EQ(message.content_encoding, "identity");
  EXPECT_EQ(message.app_id, "test");
  EXPECT_EQ(message.priority, 3);
  EXPECT_EQ(message.timestamp_s, 1'700'000'000U);
  ASSERT_THAT(message.headers, SizeIs(6));
  EXPECT_EQ(*message.headers.at("text").text(), "ä");
  EXPECT_TRUE(As<bool>(message.headers.at("yes")));
  EXPECT_EQ(As<std::int64_t>(message.headers.at("big")), std::int64_t{1} << 62);
  EXPECT_EQ(As<double>(message.headers.at("half")), 0.5);
  const auto list = As<HeaderValue::List>(message.headers.at("list"));
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(*list[0].text(), "x");
  EXPECT_EQ(As<std::int64_t>(As<HeaderValue::Table>(list[1]).at("n")), -5);
  const auto table = As<HeaderValue::Table>(message.headers.at("table"));
  const auto deep = As<HeaderValue::Table>(table.at("deep"));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(deep.at("none").value));
}

TEST_F(RabbitBroker, LargeBodiesAndEmptyOnesArriveWhole) {
  const auto queue = DeclareQueue("q");
  const std::string large(3'000'000, 'x');
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"", queue}, Text(large), Publisher::Routing::kRequired);
  publisher->Publish({"", queue}, Text(""), Publisher::Routing::kRequired);
  ASSERT_TRUE(ConfirmAll(*publisher));
  const auto consumer = broker().Consume(queue, 10);
  const auto got = ReceiveSome(*consumer, 2);
  ASSERT_THAT(got, SizeIs(2));
  EXPECT_TRUE(got[0].message.body == large);
  EXPECT_EQ(got[1].message.body, "");
}

TEST_F(RabbitBroker, NewsOfEitherSideEndsTheWaitForBoth) {
  const auto queue = DeclareQueue("q");
  const auto consumer = broker().Consume(queue, 10);
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"", queue}, Text("first"), Publisher::Routing::kRequired);
  ASSERT_TRUE(ConfirmAll(*publisher));
  ASSERT_THAT(ReceiveSome(*consumer, 1), SizeIs(1));

  const auto began = std::chrono::steady_clock::now();
  client().Publish("", queue, "second");
  AwaitNews(*consumer, *publisher, kDeadline);
  EXPECT_THAT(ReceiveSome(*consumer, 1), SizeIs(1));

  // One whose confirm is not there at once.
  ASSERT_TRUE(test::Eventually(kDeadline, [&] {
    publisher->Publish({"", Own("nowhere")}, Text("third"), Publisher::Routing::kOptional);
    return publisher->Collect(0ms).empty();
  }));
  AwaitNews(*consumer, *publisher, kDeadline);
  EXPECT_THAT(publisher->Collect(kDeadline), SizeIs(1));
  EXPECT_LT(std::chrono::steady_clock::now() - began, kDeadline);
}

TEST_F(RabbitBroker, WithoutNewsTheWaitIsAsLongAsWasAsked) {
  const auto consumer = broker().Consume(DeclareQueue("q"), 10);
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"", Own("nowhere")}, Text("x"), Publisher::Routing::kOptional);
  ASSERT_TRUE(ConfirmAll(*publisher));
  EXPECT_THAT(consumer->Receive(1, 0ms), IsEmpty());
  const auto began = std::chrono::steady_clock::now();
  AwaitNews(*consumer, *publisher, 200ms);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 200ms);
}

TEST_F(RabbitBroker, WhereOneCannotTellTheWaitIsShort) {
  const auto consumer = broker().Consume(DeclareQueue("q"), 10);
  const auto publisher = broker().OpenPublisher();
  ASSERT_THAT(consumer->Receive(1, 0ms), IsEmpty());
  const auto began = std::chrono::steady_clock::now();
  AwaitNews(*consumer, *publisher, kDeadline);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
}

TEST_F(RabbitBroker, WhatWouldRouteOrLoseACopyIsNotPublished) {
  const auto queue = DeclareQueue("q");
  const auto other = DeclareQueue("other");
  Message message = Text("x");
  message.user_id = "somebody";
  message.expiration = "1";
  message.headers = {{"CC", {HeaderValue::List{{other}}}},
                     {"BCC", {HeaderValue::List{{other}}}},
                     {"kept", {std::string("yes")}}};
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"", queue}, message, Publisher::Routing::kRequired);
  ASSERT_TRUE(ConfirmAll(*publisher));
  const auto got = client().Get(queue);
  ASSERT_TRUE(got);
  EXPECT_THAT(got->properties.headers, SizeIs(1));
  EXPECT_EQ(got->properties.expiration, "");
  EXPECT_EQ(got->delivery_mode, 2);
  EXPECT_EQ(client().Depth(other), 0U);
}

TEST_F(RabbitBroker, ATopologyIsDeclaredAndMayBeDeclaredAgain) {
  Topology topology;
  topology.exchanges.push_back({Own("e"), "topic", "events.exchange"});
  topology.queues.push_back({Own("q"), {{"x-queue-type", {std::string("quorum")}}}, "s"});
  topology.bindings.push_back({Own("e"), Own("q"), "a.#"});
  broker().Declare(topology);
  broker().Declare(topology);
  client().Publish(Own("e"), "a.b", "x");
  EXPECT_TRUE(test::Eventually(kDeadline, [&] { return client().Depth(Own("q")) == 1; }));
}

TEST_F(RabbitBroker, AMismatchNamesTheQueueAndTheSettingThatMendsIt) {
  const auto queue = DeclareQueue("q");
  client().Publish("", queue, "x");
  const auto text = Thrown<TopologyMismatch>([&] {
    DeclareQueue("q", {{"x-queue-type", {std::string("quorum")}}});
  });
  EXPECT_THAT(text, AllOf(HasSubstr("queue \"" + queue + "\""), HasSubstr("x-queue-type"),
                          HasSubstr("set consumers[0].queue_type"),
                          HasSubstr("rabbitmqctl delete_queue " + queue)));
  EXPECT_EQ(client().Depth(queue), 1U);
}

TEST_F(RabbitBroker, AMismatchedExchangeNamesTheSetting) {
  client().DeclareExchange(Own("e"), "direct");
  Topology topology;
  topology.exchanges.push_back({Own("e"), "topic", "events.exchange"});
  const auto text = Thrown<TopologyMismatch>([&] { broker().Declare(topology); });
  EXPECT_THAT(text, AllOf(HasSubstr(Own("e")), HasSubstr("events.exchange")));
}

TEST_F(RabbitBroker, InspectCountsAndKnowsWhatIsNotThere) {
  const auto queue = DeclareQueue("q");
  EXPECT_FALSE(broker().Inspect(Own("none")));
  Fill(queue, {"a", "b"});
  EXPECT_TRUE(test::Eventually(kDeadline, [&] { return broker().Inspect(queue)->ready == 2; }));
  EXPECT_EQ(broker().Inspect(queue)->consumers, 0U);
  const auto consumer = broker().Consume(queue, 1);
  ASSERT_THAT(ReceiveSome(*consumer, 1), SizeIs(1));
  EXPECT_TRUE(test::Eventually(kDeadline, [&] { return broker().Inspect(queue)->ready == 1; }));
  EXPECT_EQ(broker().Inspect(queue)->consumers, 1U);
}

TEST_F(RabbitBroker, ABrowserRemovesSomeAndLeavesTheRestInPlace) {
  const auto queue = DeclareQueue("q", {{"x-queue-type", {std::string("quorum")}}});
  Fill(queue, {"a", "b", "c", "d"});
  {
    const auto browser = broker().Browse(queue);
    std::string seen;
    while (const auto delivery = browser->Next()) {
      seen += delivery->message.body;
      if (delivery->message.body == "b") browser->Remove(*delivery);
    }
    EXPECT_EQ(seen, "abcd");
  }
  ASSERT_TRUE(test::Eventually(kDeadline, [&] { return client().Depth(queue) == 3; }));
  std::string left;
  while (const auto got = client().Get(queue)) left += got->body;
  EXPECT_EQ(left, "acd");
}

// Several steps of the walk, each with a consumer of its own.
TEST_F(RabbitBroker, ALongWalkRemovesManyAtOnceAndLeavesTheRestInOrder) {
  const auto queue = DeclareQueue("q", {{"x-queue-type", {std::string("quorum")}}});
  std::vector<std::string> bodies;
  std::vector<test::AmqpPublishing> publishings;
  for (int i = 0; i < 3'000; ++i) {
    bodies.push_back(std::to_string(i));
    publishings.push_back({"", queue, bodies.back(), {}});
  }
  client().PublishAll(publishings);
  for (int walk = 0; walk < 2; ++walk) {
    ASSERT_TRUE(test::Eventually(kDeadline, [&] { return client().Depth(queue) == 3'000; }));
    const auto browser = broker().Browse(queue);
    std::vector<std::string> seen;
    std::vector<std::uint64_t> tags;
    while (seen.size() < bodies.size()) {
      const auto delivery = browser->Next();
      ASSERT_TRUE(delivery) << seen.size();
      seen.push_back(delivery->message.body);
      if (walk == 1 && seen.size() % 3 == 0) tags.push_back(delivery->tag);
      if (tags.size() == 500) browser->Remove(std::exchange(tags, {}));
    }
    EXPECT_EQ(seen, bodies) << walk;
    EXPECT_EQ(client().Depth(queue), 0U) << "it holds what it has come to";
  }
  ASSERT_TRUE(test::Eventually(kDeadline, [&] { return client().Depth(queue) == 2'000; }));
  const auto left = client().Consume(queue, 2'000, kDeadline);
  ASSERT_THAT(left, SizeIs(2'000));
  for (std::size_t i = 0; i < left.size(); ++i) ASSERT_EQ(left[i].body, bodies[i / 2 * 3 + i % 2]);
}

TEST_F(RabbitBroker, AWalkGoesOnWithWhatArrivesMeanwhile) {
  const auto queue = DeclareQueue("q", {{"x-queue-type", {std::string("quorum")}}});
  Fill(queue, {"a"});
  const auto browser = broker().Browse(queue);
  EXPECT_TRUE(browser->Next());
  EXPECT_FALSE(browser->Next());
  Fill(queue, {"b"});
  const auto next = browser->Next();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->message.body, "b");
}

TEST_F(RabbitBroker, ThereIsNoWalkThroughAQueueThatIsNotThere) {
  EXPECT_THAT(Thrown<UsageError>([&] { (void)broker().Browse(Own("none")); }),
              HasSubstr(Own("none")));
}

TEST_F(RabbitBroker, ABrokenWalkIsUnavailableAndLosesNothing) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b"});
  test::TcpProxy proxy("127.0.0.1", test::PortOf(server().broker_url()));
  const auto through = OpenBroker(proxy.Through(server().broker_url()), "iq-test");
  const auto browser = through->Browse(queue);
  const auto first = browser->Next();
  ASSERT_TRUE(first);
  proxy.CutAll();
  EXPECT_THROW(browser->Remove(*first), Unavailable);
  EXPECT_THROW((void)browser->Next(), Unavailable);
  EXPECT_TRUE(test::Eventually(kDeadline, [&] { return client().Depth(queue) == 2; }));
}

TEST_F(RabbitBroker, ADelayQueueGivesItsMessagesBack) {
  const auto queue = DeclareQueue("q");
  const auto delay =
      DeclareQueue("delay", {{"x-queue-type", {std::string("quorum")}},
                             {"x-message-ttl", {std::int64_t{300}}},
                             {"x-dead-letter-exchange", {std::string("")}},
                             {"x-dead-letter-routing-key", {queue}},
                             {"x-dead-letter-strategy", {std::string("at-least-once")}},
                             {"x-overflow", {std::string("reject-publish")}}});
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"", delay}, Text("later"), Publisher::Routing::kRequired);
  ASSERT_TRUE(ConfirmAll(*publisher));
  const auto consumer = broker().Consume(queue, 10);
  const auto got = ReceiveSome(*consumer, 1);
  ASSERT_THAT(Bodies(got), ElementsAre("later"));
  EXPECT_TRUE(got[0].message.headers.contains("x-death"));
}

TEST_F(RabbitBroker, AReplyQueueIsReachedByItsNameAndGoneWithItsConsumer) {
  auto replies = broker().OpenReplyQueue();
  const auto others = broker().OpenReplyQueue();
  EXPECT_NE(replies.name, others.name);
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"", replies.name}, Text("answer"), Publisher::Routing::kRequired);
  ASSERT_TRUE(ConfirmAll(*publisher));
  EXPECT_THAT(Bodies(ReceiveSome(*replies.consumer, 1)), ElementsAre("answer"));
  EXPECT_THAT(others.consumer->Receive(10, 0ms), IsEmpty());
  replies.consumer.reset();
  EXPECT_TRUE(test::Eventually(kDeadline, [&] { return !client().QueueExists(replies.name); }));
}

TEST_F(RabbitBroker, AReplyQueueKeepsItsNameOverALossAndSaysSoByItsEpoch) {
  test::TcpProxy proxy("127.0.0.1", test::PortOf(server().broker_url()));
  const auto through = OpenBroker(proxy.Through(server().broker_url()), "iq-test");
  const auto replies = through->OpenReplyQueue();
  const auto epoch = replies.consumer->epoch();
  proxy.CutAll();
  ASSERT_TRUE(test::Eventually(kDeadline, [&] {
    (void)replies.consumer->Receive(0, 20ms);
    return replies.consumer->epoch() > epoch && replies.consumer->connected();
  }));
  client().Publish("", replies.name, "answer");
  EXPECT_THAT(Bodies(ReceiveSome(*replies.consumer, 1)), ElementsAre("answer"));
}

TEST_F(RabbitBroker, AWrongPasswordIsUnavailableAndItsTextHidesIt) {
  const auto text = Thrown<Unavailable>([&] {
    OpenBroker(fmt::format("amqp://guest:s3cret@127.0.0.1:{}", test::PortOf(server().broker_url())),
               "iq-test")
        ->Declare({});
  });
  EXPECT_THAT(text, AllOf(HasSubstr("rabbitmq at 127.0.0.1:"), HasSubstr("ACCESS_REFUSED"),
                          Not(HasSubstr("s3cret"))));
}

TEST_F(RabbitBroker, NobodyThereIsUnavailable) {
  const auto nobody = OpenBroker("amqp://127.0.0.1:1", "iq-test");
  EXPECT_EQ(nobody->name(), "rabbitmq at 127.0.0.1:1");
  EXPECT_THAT(Thrown<Unavailable>([&] { nobody->Declare({}); }), HasSubstr("cannot connect"));
  EXPECT_THROW((void)nobody->Inspect("q"), Unavailable);
  EXPECT_THROW((void)nobody->Subscribe("amq.topic", "#"), Unavailable);
  EXPECT_THROW((void)nobody->OpenReplyQueue(), Unavailable);
  EXPECT_THROW((void)nobody->Browse("q"), Unavailable);
}

}  // namespace
}  // namespace iq
