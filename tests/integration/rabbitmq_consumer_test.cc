// Consumers against a real RabbitMQ: prefetch, acks and epochs, and the way back after a loss.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "host/base/error.h"
#include "tests/integration/rabbitmq_fixture.h"
#include "tests/support/tcp_proxy.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Clock = std::chrono::steady_clock;

class RabbitConsumer : public test::RabbitTest {
 protected:
  // What is neither acked nor requeued.
  bool Unacked(const std::string& queue, std::size_t count) {
    return test::Eventually(kDeadline, [&] {
      const auto listed = server().Rabbitmqctl(
          {"list_queues", "--quiet", "--no-table-headers", "name", "messages_unacknowledged"});
      return listed.find(fmt::format("{}\t{}\n", queue, count)) != std::string::npos;
    });
  }
  bool Ready(const std::string& queue, std::size_t count) {
    return test::Eventually(kDeadline, [&] { return client().Depth(queue) == count; });
  }
};

TEST_F(RabbitConsumer, PrefetchBoundsWhatIsUnsettled) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c", "d", "e"});
  const auto consumer = broker().Consume(queue, 3);
  const auto first = ReceiveSome(*consumer, 3);
  ASSERT_THAT(Bodies(first), ElementsAre("a", "b", "c"));
  EXPECT_THAT(consumer->Receive(10, 200ms), IsEmpty());
  consumer->Ack(first[0].epoch, first[0].tag, false);
  EXPECT_THAT(Bodies(ReceiveSome(*consumer, 1)), ElementsAre("d"));
}

TEST_F(RabbitConsumer, TakesWhatHasArrivedAndNoMoreThanAsked) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c"});
  const auto consumer = broker().Consume(queue, 10);
  ASSERT_THAT(consumer->Receive(0, 300ms), IsEmpty());
  EXPECT_THAT(Bodies(consumer->Receive(2, 10s)), ElementsAre("a", "b"));
  EXPECT_THAT(Bodies(consumer->Receive(2, 10s)), ElementsAre("c"));
}

TEST_F(RabbitConsumer, AMultipleAckSettlesAllUpToItsTagAndASingleOneItself) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c", "d", "e"});
  {
    const auto consumer = broker().Consume(queue, 10);
    const auto got = ReceiveSome(*consumer, 5);
    ASSERT_THAT(got, SizeIs(5));
    consumer->Ack(got[1].epoch, got[1].tag, true);
    EXPECT_TRUE(Unacked(queue, 3));
    consumer->Ack(got[3].epoch, got[3].tag, false);
    EXPECT_TRUE(Unacked(queue, 2));
  }
  ASSERT_TRUE(Ready(queue, 2));
  EXPECT_EQ(NextBody(queue), "c");
  EXPECT_EQ(NextBody(queue), "e");
}

TEST_F(RabbitConsumer, WhatIsRequeuedComesAgainMarkedAsRedelivered) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a"});
  const auto consumer = broker().Consume(queue, 10);
  const auto first = ReceiveSome(*consumer, 1);
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_FALSE(first[0].redelivered);
  consumer->Requeue(first[0].epoch, first[0].tag);
  const auto second = ReceiveSome(*consumer, 1);
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_TRUE(second[0].redelivered);
  EXPECT_EQ(second[0].epoch, first[0].epoch);
}

TEST_F(RabbitConsumer, AnAckOfAnOlderEpochDoesNothing) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b"});
  test::TcpProxy proxy("127.0.0.1", test::PortOf(server().broker_url()));
  const auto through = OpenBroker(proxy.Through(server().broker_url()), "iq-test");
  const auto consumer = through->Consume(queue, 10);
  const auto before = ReceiveSome(*consumer, 2);
  ASSERT_THAT(before, SizeIs(2));
  proxy.CutAll();
  const auto after = ReceiveSome(*consumer, 2);
  ASSERT_THAT(after, SizeIs(2));
  EXPECT_EQ(after[0].epoch, before[0].epoch + 1);
  EXPECT_TRUE(after[0].redelivered);

  consumer->Ack(before[0].epoch, before[1].tag, true);
  consumer->Requeue(before[0].epoch, before[0].tag);
  EXPECT_TRUE(Unacked(queue, 2));
  consumer->Ack(after[1].epoch, after[1].tag, true);
  EXPECT_TRUE(Unacked(queue, 0));
  EXPECT_THAT(consumer->Receive(10, 100ms), IsEmpty());
  EXPECT_EQ(consumer->epoch(), after[0].epoch);
}

TEST_F(RabbitConsumer, AChannelThatTheBrokerClosesIsOpenedAgain) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a"});
  const auto consumer = broker().Consume(queue, 10);
  const auto got = ReceiveSome(*consumer, 1);
  ASSERT_THAT(got, SizeIs(1));
  consumer->Ack(got[0].epoch, got[0].tag, false);
  consumer->Ack(got[0].epoch, got[0].tag, false);  // A tag twice: the broker closes the channel.
  ASSERT_TRUE(test::Eventually(kDeadline, [&] {
    (void)consumer->Receive(0, 20ms);
    return consumer->epoch() > got[0].epoch && consumer->connected();
  }));
  Fill(queue, {"b"});
  EXPECT_THAT(Bodies(ReceiveSome(*consumer, 1)), ElementsAre("b"));
}

TEST_F(RabbitConsumer, ComesBackWhenItsQueueIsDeleted) {
  const auto queue = DeclareQueue("q");
  const auto consumer = broker().Consume(queue, 10);
  ASSERT_TRUE(test::Eventually(kDeadline, [&] {
    (void)consumer->Receive(1, 10ms);
    return client().Consumers(queue) == 1;
  }));
  const auto epoch = consumer->epoch();
  client().DeleteQueue(queue);
  const auto began = Clock::now();
  ASSERT_TRUE(test::Eventually(kDeadline, [&] {
    (void)consumer->Receive(1, 10ms);
    return client().QueueExists(queue) && client().Consumers(queue) == 1;
  }));
  EXPECT_LT(Clock::now() - began, 5s);
  EXPECT_GT(consumer->epoch(), epoch);
  Fill(queue, {"a"});
  EXPECT_THAT(Bodies(ReceiveSome(*consumer, 1)), ElementsAre("a"));
}

TEST_F(RabbitConsumer, SurvivesAClosedConnection) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a"});
  const auto consumer = broker().Consume(queue, 10);
  const auto before = ReceiveSome(*consumer, 1);
  ASSERT_THAT(before, SizeIs(1));
  server().Rabbitmqctl({"close_all_connections", "test"});
  RenewClient();
  const auto after = ReceiveSome(*consumer, 1);
  ASSERT_THAT(Bodies(after), ElementsAre("a"));
  EXPECT_TRUE(after[0].redelivered);
  EXPECT_GT(after[0].epoch, before[0].epoch);
}

TEST_F(RabbitConsumer, GoesOnAfterTheBrokerWasKilled) {
  const auto queue = DeclareQueue("q");
  SettleQueues();
  Fill(queue, {"a", "b"});
  const auto consumer = broker().Consume(queue, 10);
  const auto before = ReceiveSome(*consumer, 2);
  ASSERT_THAT(before, SizeIs(2));
  server().Kill(test::Server::kRabbit);
  const auto began = Clock::now();
  EXPECT_THAT(consumer->Receive(10, 300ms), IsEmpty());
  EXPECT_THAT(consumer->Receive(10, 300ms), IsEmpty());
  EXPECT_GE(Clock::now() - began, 300ms);  // The second call, at least, has waited.
  EXPECT_FALSE(consumer->connected());
  consumer->Ack(before[0].epoch, before[0].tag, false);
  server().Start(test::Server::kRabbit);
  RenewClient();
  const auto after = ReceiveSome(*consumer, 2);
  ASSERT_THAT(after, SizeIs(2));
  EXPECT_THAT(after, Each(Field(&Delivery::redelivered, true)));
  EXPECT_GT(after[0].epoch, before[0].epoch);
  consumer->Ack(after[1].epoch, after[1].tag, true);
  EXPECT_TRUE(Unacked(queue, 0));
}

TEST_F(RabbitConsumer, CancelGivesBackWhatWasNotReceived) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c", "d", "e"});
  const auto consumer = broker().Consume(queue, 10);
  const auto got = ReceiveSome(*consumer, 2);
  ASSERT_THAT(Bodies(got), ElementsAre("a", "b"));
  consumer->Cancel();
  EXPECT_TRUE(Ready(queue, 3));
  EXPECT_THAT(consumer->Receive(10, 100ms), IsEmpty());
  consumer->Ack(got[0].epoch, got[0].tag, false);
  EXPECT_TRUE(Unacked(queue, 1));
  consumer->Ack(got[1].epoch, got[1].tag, false);
  EXPECT_TRUE(Unacked(queue, 0));
  EXPECT_TRUE(Ready(queue, 3));
}

TEST_F(RabbitConsumer, CancelGivesBackWhatWasTakenInPassing) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c"});
  const auto consumer = broker().Consume(queue, 10);
  EXPECT_THAT(consumer->Receive(0, 300ms), IsEmpty());
  consumer->Cancel();
  EXPECT_TRUE(Ready(queue, 3));
}

TEST_F(RabbitConsumer, ConsumesBeforeTheBrokerIsThere) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a"});
  test::TcpProxy proxy("127.0.0.1", test::PortOf(server().broker_url()));
  proxy.Refuse(true);
  const auto through = OpenBroker(proxy.Through(server().broker_url()), "iq-test");
  const auto consumer = through->Consume(queue, 10);
  EXPECT_THAT(consumer->Receive(1, 2s), IsEmpty());
  EXPECT_LE(proxy.accepted(), 20U);  // It does not hammer.
  proxy.Refuse(false);
  EXPECT_THAT(Bodies(ReceiveSome(*consumer, 1)), ElementsAre("a"));
}

TEST_F(RabbitConsumer, ASubscriptionGetsWhatMatchesFromTheMomentItIsMade) {
  client().DeclareExchange(Own("e"), "topic");
  const auto subscriber = broker().Subscribe(Own("e"), "balance.*");
  client().Publish(Own("e"), "balance.income", "a");
  client().Publish(Own("e"), "command.failed", "b", {}, false);
  client().Publish(Own("e"), "balance.lock", "c");
  EXPECT_THAT(Bodies(ReceiveSome(*subscriber, 2)), ElementsAre("a", "c"));
  EXPECT_THAT(subscriber->Receive(10, 100ms), IsEmpty());
}

TEST_F(RabbitConsumer, ASubscriptionIsMadeAgainAfterALoss) {
  client().DeclareExchange(Own("e"), "topic");
  test::TcpProxy proxy("127.0.0.1", test::PortOf(server().broker_url()));
  const auto through = OpenBroker(proxy.Through(server().broker_url()), "iq-test");
  const auto subscriber = through->Subscribe(Own("e"), "#");
  proxy.CutAll();
  ASSERT_TRUE(test::Eventually(kDeadline, [&] {
    (void)subscriber->Receive(0, 20ms);
    return subscriber->epoch() > 1 && subscriber->connected();
  }));
  client().Publish(Own("e"), "x", "a");
  EXPECT_THAT(Bodies(ReceiveSome(*subscriber, 1)), ElementsAre("a"));
}

}  // namespace
}  // namespace iq
