// Publishers against a real RabbitMQ: confirms, and all that can keep one from coming.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "host/broker/publish_ledger.h"
#include "tests/integration/rabbitmq_fixture.h"
#include "tests/support/tcp_proxy.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Clock = std::chrono::steady_clock;
using Routing = Publisher::Routing;

class RabbitPublisher : public test::RabbitTest {
 protected:
  void TearDown() override {
    if (alarm_) EndAlarm();
  }
  void RaiseAlarm() {
    alarm_ = true;
    server().Rabbitmqctl({"set_vm_memory_high_watermark", "0.00001"});
  }
  void EndAlarm() {
    server().Rabbitmqctl({"set_vm_memory_high_watermark", "0.4"});
    alarm_ = false;
  }

  // The different bodies that arrive until there are `count`.
  std::set<std::string> Arrived(const std::string& queue, std::size_t count) {
    const auto consumer = broker().Consume(queue, 500);
    std::set<std::string> bodies;
    (void)test::Eventually(kDeadline, [&] {
      for (const auto& delivery : consumer->Receive(500, 20ms)) {
        bodies.insert(delivery.message.body);
        consumer->Ack(delivery.epoch, delivery.tag, false);
      }
      return bodies.size() >= count;
    });
    return bodies;
  }

  static std::vector<Publisher::Number> CollectAll(Publisher& publisher) {
    std::vector<Publisher::Number> all;
    (void)test::Eventually(kDeadline, [&] {
      const auto some = publisher.Collect(50ms);
      all.insert(all.end(), some.begin(), some.end());
      return publisher.unconfirmed() == 0;
    });
    return all;
  }

 private:
  bool alarm_ = false;
};

TEST_F(RabbitPublisher, EachMessageIsConfirmedOnce) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  constexpr std::size_t kCount = 3000;
  for (std::size_t i = 1; i <= kCount; ++i) {
    EXPECT_EQ(publisher->Publish({"", queue}, Text(std::to_string(i)), Routing::kRequired), i);
  }
  EXPECT_EQ(publisher->unconfirmed(), kCount);
  auto confirmed = CollectAll(*publisher);
  std::sort(confirmed.begin(), confirmed.end());
  std::vector<Publisher::Number> expected(kCount);
  std::iota(expected.begin(), expected.end(), 1U);
  EXPECT_EQ(confirmed, expected);
  EXPECT_EQ(client().Depth(queue), kCount);
  EXPECT_EQ(NextBody(queue), "1");
}

TEST_F(RabbitPublisher, TenThousandMessagesTakeSeconds) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  constexpr std::size_t kCount = 10'000;
  const std::string body(300, 'x');
  const auto began = Clock::now();
  for (std::size_t i = 0; i < kCount; ++i) {
    publisher->Publish({"", queue}, Text(body), Routing::kRequired);
  }
  EXPECT_THAT(CollectAll(*publisher), SizeIs(kCount));
  const std::chrono::duration<double> took = Clock::now() - began;
  RecordProperty("messages_per_second", static_cast<int>(kCount / took.count()));
  EXPECT_LT(took, 20s);
}

// More are waiting than may be on the wire at a time.
TEST_F(RabbitPublisher, WhatConfirmsMakeRoomForIsWrittenAtOnce) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  constexpr std::size_t kCount = PublishLedger::kMessagesOnWireMax + 100;
  for (std::size_t i = 0; i < kCount; ++i) {
    publisher->Publish({"", queue}, Text("x"), Routing::kRequired);
  }
  publisher->Collect(0ms);
  ASSERT_TRUE(test::Eventually(
      10s, [&] { return client().Depth(queue) >= PublishLedger::kMessagesOnWireMax; }));
  std::this_thread::sleep_for(1s);  // For the confirms, which follow.
  publisher->Collect(0ms);
  EXPECT_TRUE(test::Eventually(10s, [&] { return client().Depth(queue) == kCount; }));
}

TEST_F(RabbitPublisher, WithNothingUnconfirmedCollectDoesNotWait) {
  const auto publisher = broker().OpenPublisher();
  const auto began = Clock::now();
  EXPECT_THAT(publisher->Collect(10s), IsEmpty());
  EXPECT_LT(Clock::now() - began, 5s);
}

TEST_F(RabbitPublisher, AnOptionalMessageThatNobodyWantsIsConfirmed) {
  client().DeclareExchange(Own("e"), "topic");
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({Own("e"), "nobody"}, Text("x"), Routing::kOptional);
  EXPECT_THAT(CollectAll(*publisher), ElementsAre(1));
}

TEST_F(RabbitPublisher, ARequiredMessageArrivesOnceItsQueueIsRestored) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"", queue}, Text("a"), Routing::kRequired);
  ASSERT_THAT(CollectAll(*publisher), ElementsAre(1));
  client().DeleteQueue(queue);
  publisher->Publish({"", queue}, Text("b"), Routing::kRequired);
  EXPECT_THAT(CollectAll(*publisher), ElementsAre(2));
  EXPECT_EQ(NextBody(queue), "b");
}

TEST_F(RabbitPublisher, ARequiredMessageWithoutARouteIsNeverConfirmedAndHoldsUpNobody) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  const auto lost = publisher->Publish({"", Own("none")}, Text("a"), Routing::kRequired);
  publisher->Publish({"", queue}, Text("b"), Routing::kRequired);
  ASSERT_TRUE(test::Eventually(kDeadline, [&] {
    (void)publisher->Collect(20ms);
    return publisher->unconfirmed() == 1;
  }));
  EXPECT_THAT(publisher->Collect(1500ms), IsEmpty());
  client().DeclareDurableQueue(Own("none"));
  EXPECT_THAT(CollectAll(*publisher), ElementsAre(lost));
  EXPECT_EQ(client().Depth(Own("none")), 1U);
}

TEST_F(RabbitPublisher, AMessageThatClosesTheChannelHoldsUpNobodyForLong) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  std::vector<Publisher::Number> good;
  for (int i = 0; i < 20; ++i) {
    if (i == 7) publisher->Publish({Own("none"), ""}, Text("bad"), Routing::kOptional);
    good.push_back(publisher->Publish({"", queue}, Text(std::to_string(i)), Routing::kRequired));
  }
  std::set<Publisher::Number> confirmed;
  ASSERT_TRUE(test::Eventually(kDeadline, [&] {
    for (const auto number : publisher->Collect(20ms)) confirmed.insert(number);
    return publisher->unconfirmed() == 1;
  }));
  EXPECT_EQ(confirmed, std::set<Publisher::Number>(good.begin(), good.end()));
  client().DeclareExchange(Own("none"), "topic");
  EXPECT_TRUE(ConfirmAll(*publisher));
}

TEST_F(RabbitPublisher, AMessageThatCannotBeSentAtAllHoldsUpNobodyEither) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  Message bad = Text("x");
  bad.headers = {{"huge", {std::string(200'000, 'x')}}};
  const auto number = publisher->Publish({"", queue}, bad, Routing::kRequired);
  publisher->Publish({"", queue}, Text("good"), Routing::kRequired);
  ASSERT_TRUE(test::Eventually(kDeadline, [&] {
    (void)publisher->Collect(20ms);
    return publisher->unconfirmed() == 1;
  }));
  publisher->Forget(number);
  EXPECT_EQ(publisher->unconfirmed(), 0U);
  EXPECT_EQ(NextBody(queue), "good");
  EXPECT_FALSE(client().Get(queue));
}

TEST_F(RabbitPublisher, WhatTheBrokerCannotTakeIsPublishedAgainUntilItCan) {
  const auto queue = DeclareQueue(
      "q", {{"x-max-length", {std::int64_t{1}}}, {"x-overflow", {std::string("reject-publish")}}});
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"", queue}, Text("a"), Routing::kRequired);
  ASSERT_THAT(CollectAll(*publisher), ElementsAre(1));
  publisher->Publish({"", queue}, Text("b"), Routing::kRequired);
  EXPECT_THAT(publisher->Collect(1s), IsEmpty());
  EXPECT_EQ(publisher->unconfirmed(), 1U);
  EXPECT_EQ(NextBody(queue), "a");
  EXPECT_THAT(CollectAll(*publisher), ElementsAre(2));
  EXPECT_EQ(NextBody(queue), "b");
}

TEST_F(RabbitPublisher, AForgottenMessageGivesNoReceipt) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  const auto first = publisher->Publish({"", queue}, Text("a"), Routing::kRequired);
  (void)publisher->Collect(0ms);
  publisher->Forget(first);
  publisher->Forget(first);
  publisher->Publish({"", queue}, Text("b"), Routing::kRequired);
  EXPECT_EQ(publisher->unconfirmed(), 1U);
  EXPECT_THAT(CollectAll(*publisher), ElementsAre(2));
}

TEST_F(RabbitPublisher, NothingIsLostWhenConnectionsAreCut) {
  const auto queue = DeclareQueue("q");
  test::TcpProxy proxy("127.0.0.1", test::PortOf(server().broker_url()));
  const auto through = OpenBroker(proxy.Through(server().broker_url()), "iq-test");
  const auto publisher = through->OpenPublisher();
  constexpr int kCount = 2000;
  for (int i = 0; i < kCount; ++i) {
    publisher->Publish({"", queue}, Text(std::to_string(i)), Routing::kRequired);
    if (i % 400 == 200) {
      (void)publisher->Collect(5ms);
      proxy.CutAll();
    }
  }
  ASSERT_TRUE(ConfirmAll(*publisher));
  EXPECT_GT(proxy.accepted(), 1U);
  EXPECT_THAT(Arrived(queue, kCount), SizeIs(kCount));
}

TEST_F(RabbitPublisher, NothingIsLostWhenTheBrokerIsKilled) {
  const auto queue = DeclareQueue("q");
  SettleQueues();
  const auto publisher = broker().OpenPublisher();
  constexpr int kCount = 2000;
  for (int i = 0; i < kCount; ++i) {
    publisher->Publish({"", queue}, Text(std::to_string(i)), Routing::kRequired);
    if (i == kCount / 2) {
      (void)publisher->Collect(5ms);
      server().Kill(test::Server::kRabbit);
    }
  }
  EXPECT_GT(publisher->unconfirmed(), 0U);
  const auto began = Clock::now();
  (void)publisher->Collect(100ms);
  EXPECT_LT(Clock::now() - began, 5s);
  server().Start(test::Server::kRabbit);
  RenewClient();
  ASSERT_TRUE(ConfirmAll(*publisher));
  EXPECT_THAT(Arrived(queue, kCount), SizeIs(kCount));
}

TEST_F(RabbitPublisher, AnAlarmBlocksNeitherTheCallerNorTheConsumersAcks) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"first"});
  const auto consumer = broker().Consume(queue, 10);
  const auto held = ReceiveSome(*consumer, 1);
  ASSERT_THAT(held, SizeIs(1));
  const auto publisher = broker().OpenPublisher();
  RaiseAlarm();

  constexpr int kCount = 3000;
  for (int i = 0; i < kCount; ++i) {
    publisher->Publish({"", queue}, Text(std::to_string(i) + std::string(2000, 'x')),
                       Routing::kRequired);
  }
  auto longest = Clock::duration::zero();
  EXPECT_TRUE(test::Eventually(kDeadline, [&] {
    const auto began = Clock::now();
    (void)publisher->Collect(20ms);
    longest = std::max(longest, Clock::now() - began);
    return publisher->blocked();
  }));
  for (int i = 0; i < 20; ++i) {
    const auto began = Clock::now();
    (void)publisher->Collect(20ms);
    longest = std::max(longest, Clock::now() - began);
  }
  EXPECT_LT(longest, 2s);
  EXPECT_GT(publisher->unconfirmed(), 1000U);
  consumer->Ack(held[0].epoch, held[0].tag, false);
  EXPECT_TRUE(test::Eventually(kDeadline, [&] {
    const auto state = server().Rabbitmqctl(
        {"list_queues", "--quiet", "--no-table-headers", "name", "messages_unacknowledged"});
    return state.find(queue + "\t0\n") != std::string::npos;
  }));
  EXPECT_TRUE(consumer->connected());
  EXPECT_EQ(consumer->epoch(), held[0].epoch);

  EndAlarm();
  ASSERT_TRUE(ConfirmAll(*publisher));
  EXPECT_FALSE(publisher->blocked());
  EXPECT_EQ(client().Depth(queue) + ReceiveSome(*consumer, 10).size(), std::size_t{kCount});
}

TEST_F(RabbitPublisher, NothingIsWrittenWhileTheBrokerIsBlocked) {
  const auto queue = DeclareQueue("q");
  std::atomic<std::size_t> written{0};
  test::TcpProxy proxy("127.0.0.1", test::PortOf(server().broker_url()));
  proxy.OnClientBytes([&](std::string_view bytes) {
    written += bytes.size();
    return test::TcpProxy::Action::kForward;
  });
  const auto through = OpenBroker(proxy.Through(server().broker_url()), "iq-test");
  const auto publisher = through->OpenPublisher();
  RaiseAlarm();
  publisher->Publish({"", queue}, Text("a"), Routing::kRequired);
  ASSERT_TRUE(test::Eventually(kDeadline, [&] {
    (void)publisher->Collect(20ms);
    return publisher->blocked();
  }));
  const std::size_t before = written;
  publisher->Publish({"", queue}, Text(std::string(1000, 'x')), Routing::kRequired);
  EXPECT_THAT(publisher->Collect(300ms), IsEmpty());
  EXPECT_LT(written - before, 1000U);  // A heartbeat may pass.
  EndAlarm();
  EXPECT_TRUE(ConfirmAll(*publisher));
  EXPECT_EQ(client().Depth(queue), 2U);
}

TEST_F(RabbitPublisher, ABrokerThatReadsNothingBlocksNoCall) {
  const auto queue = DeclareQueue("q");
  test::TcpProxy proxy("127.0.0.1", test::PortOf(server().broker_url()));
  const auto through = OpenBroker(proxy.Through(server().broker_url()), "iq-test");
  const auto publisher = through->OpenPublisher();
  publisher->Publish({"", queue}, Text("first"), Routing::kRequired);
  ASSERT_TRUE(ConfirmAll(*publisher));
  proxy.Pause();
  // More than the window, and more than the kernel's send buffer (4 MB on loopback) takes.
  const std::vector<std::size_t> sizes{900'000, 3'900'000, 200'000, 200'000, 200'000};
  for (const auto size : sizes) {
    publisher->Publish({"", queue}, Text(std::string(size, 'x')), Routing::kRequired);
  }
  for (int i = 0; i < 20; ++i) {
    const auto began = Clock::now();
    (void)publisher->Collect(10ms);
    ASSERT_LT(Clock::now() - began, 1s);
  }
  EXPECT_EQ(publisher->unconfirmed(), sizes.size());
  proxy.Resume();
  EXPECT_TRUE(ConfirmAll(*publisher));
  EXPECT_EQ(client().Depth(queue), 1U + sizes.size());
}

}  // namespace
}  // namespace iq
