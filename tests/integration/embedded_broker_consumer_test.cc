// Consumers of the broker within an SQLite file: prefetch, acks, processes that die.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "tests/integration/embedded_broker_fixture.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Clock = std::chrono::steady_clock;

using EmbeddedConsumer = test::EmbeddedTest;

TEST_F(EmbeddedConsumer, PrefetchBoundsWhatIsUnsettled) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c", "d", "e"});
  const auto consumer = broker().Consume(queue, 3);
  const auto first = ReceiveSome(*consumer, 3);
  ASSERT_THAT(Bodies(first), ElementsAre("a", "b", "c"));
  EXPECT_THAT(consumer->Receive(10, 50ms), IsEmpty());
  consumer->Ack(first[0].epoch, first[0].tag, false);
  EXPECT_THAT(Bodies(consumer->Receive(10, 10s)), ElementsAre("d"));
}

TEST_F(EmbeddedConsumer, TakesWhatHasArrivedAndNoMoreThanAsked) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c"});
  const auto consumer = broker().Consume(queue, 10);
  ASSERT_THAT(consumer->Receive(0, 20ms), IsEmpty());
  EXPECT_EQ(broker().Inspect(queue)->ready, 3U);
  EXPECT_THAT(Bodies(consumer->Receive(2, 10s)), ElementsAre("a", "b"));
  EXPECT_THAT(Bodies(consumer->Receive(2, 10s)), ElementsAre("c"));
}

TEST_F(EmbeddedConsumer, WaitsAsLongAsItIsToldAndNoLongerThanItMust) {
  const auto queue = DeclareQueue("q");
  const auto consumer = broker().Consume(queue, 10);
  auto began = Clock::now();
  EXPECT_THAT(consumer->Receive(1, 100ms), IsEmpty());
  EXPECT_GE(Clock::now() - began, 100ms);
  std::jthread sender([&] { Fill(queue, {"a"}); });
  began = Clock::now();
  EXPECT_THAT(Bodies(consumer->Receive(1, 20s)), ElementsAre("a"));
  EXPECT_LT(Clock::now() - began, 10s);
}

TEST_F(EmbeddedConsumer, AnIdleOneCostsNextToNoTime) {
  const auto consumer = broker().Consume(DeclareQueue("q"), 10);
  (void)consumer->Receive(1, 0ms);
  const auto used = [] {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  };
  const auto before = used();
  (void)consumer->Receive(1, 2s);
  const auto cost = used() - before;
  RecordProperty("microseconds_in_two_seconds", static_cast<int>(cost.count()));
  EXPECT_LT(cost, 60ms);
}

TEST_F(EmbeddedConsumer, AMultipleAckSettlesAllUpToItsTagAndASingleOneItself) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c", "d", "e"});
  {
    const auto consumer = broker().Consume(queue, 10);
    const auto got = ReceiveSome(*consumer, 5);
    ASSERT_THAT(got, SizeIs(5));
    consumer->Ack(got[1].epoch, got[1].tag, true);
    (void)consumer->Receive(0, 0ms);
    EXPECT_EQ(Messages(), 3);
    consumer->Ack(got[3].epoch, got[3].tag, false);
    consumer->Ack(got[3].epoch, got[3].tag, false);
    consumer->Ack(got[3].epoch, 12'345, false);
  }
  EXPECT_THAT(Ready(queue), ElementsAre("c", "e"));
}

TEST_F(EmbeddedConsumer, AcksAreWrittenWhenItIsCancelledOrDestroyed) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c"});
  auto consumer = broker().Consume(queue, 10);
  const auto got = ReceiveSome(*consumer, 2);
  ASSERT_THAT(got, SizeIs(2));
  consumer->Ack(got[0].epoch, got[0].tag, false);
  consumer->Cancel();
  EXPECT_EQ(Messages(), 2);
  EXPECT_THAT(consumer->Receive(10, 20ms), IsEmpty());
  consumer->Ack(got[1].epoch, got[1].tag, false);
  consumer.reset();
  EXPECT_THAT(Ready(queue), ElementsAre("c"));
}

TEST_F(EmbeddedConsumer, WhatIsRequeuedComesAgainInItsPlaceMarkedAsRedelivered) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c"});
  const auto consumer = broker().Consume(queue, 10);
  const auto first = ReceiveSome(*consumer, 2);
  ASSERT_THAT(first, SizeIs(2));
  EXPECT_THAT(first, Each(Field(&Delivery::redelivered, false)));
  consumer->Requeue(first[0].epoch, first[0].tag);
  const auto second = ReceiveSome(*consumer, 2);
  ASSERT_THAT(Bodies(second), ElementsAre("a", "c"));
  EXPECT_TRUE(second[0].redelivered);
  EXPECT_FALSE(second[1].redelivered);
  EXPECT_EQ(second[0].epoch, first[0].epoch);
}

TEST_F(EmbeddedConsumer, WhatADestroyedOneHadGoesBackInPlace) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c"});
  {
    const auto consumer = broker().Consume(queue, 2);
    ASSERT_THAT(ReceiveSome(*consumer, 2), SizeIs(2));
  }
  const auto consumer = broker().Consume(queue, 10);
  const auto got = ReceiveSome(*consumer, 3);
  EXPECT_THAT(Bodies(got), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(got[0].redelivered);
  EXPECT_FALSE(got[2].redelivered);
}

TEST_F(EmbeddedConsumer, WhatAKilledProcessHadComesAtOnceMarkedAsRedelivered) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c"});
  auto peer = StartPeer("hold", {queue, "2"});
  ASSERT_TRUE(HasLines(peer, 2));
  const auto consumer = broker().Consume(queue, 10);
  ASSERT_THAT(Bodies(ReceiveSome(*consumer, 1)), ElementsAre("c"));
  EXPECT_THAT(consumer->Receive(10, 500ms), IsEmpty()) << "the other one lives";
  EXPECT_EQ(broker().Inspect(queue)->consumers, 2U);

  const auto began = Clock::now();
  peer.process->Kill9();
  const auto got = ReceiveSome(*consumer, 2);
  EXPECT_LT(Clock::now() - began, 5s);
  EXPECT_THAT(Bodies(got), ElementsAre("a", "b"));
  EXPECT_THAT(got, Each(Field(&Delivery::redelivered, true)));
  EXPECT_EQ(broker().Inspect(queue)->consumers, 1U);
}

TEST_F(EmbeddedConsumer, AStoppedProcessKeepsWhatItHas) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a"});
  auto peer = StartPeer("hold", {queue, "1"});
  ASSERT_TRUE(HasLines(peer, 1));
  peer.process->Signal(SIGSTOP);
  const auto consumer = broker().Consume(queue, 10);
  EXPECT_THAT(consumer->Receive(1, 500ms), IsEmpty());
  peer.process->Signal(SIGCONT);
}

TEST_F(EmbeddedConsumer, WhatAKilledBrowserHadIsBackForTheNextOneWhoLooks) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b"});
  auto peer = StartPeer("browse", {queue});
  ASSERT_TRUE(HasLines(peer, 3));
  EXPECT_EQ(broker().Inspect(queue)->ready, 0U);
  peer.process->Kill9();
  EXPECT_EQ(broker().Inspect(queue)->ready, 2U);
  EXPECT_THAT(Ready(queue), ElementsAre("a", "b"));
}

TEST_F(EmbeddedConsumer, TheQueuesOfAKilledProcessAreRemoved) {
  DeclareExchange("e", "topic");
  auto peer = StartPeer("listen", {"e"});
  ASSERT_TRUE(HasLines(peer, 1));
  const std::string replies = LinesOf(peer)[0];
  Send({"e", "x"}, Text("an event"));
  Send({"", replies}, Text("a reply"));
  EXPECT_EQ(Messages(), 2);
  peer.process->Kill9();
  EXPECT_FALSE(broker().Inspect(replies));
  EXPECT_EQ(Messages(), 0);
}

TEST_F(EmbeddedConsumer, ProcessesShareAQueueWithoutOverlap) {
  const auto queue = DeclareQueue("q");
  const std::vector<test::EmbeddedTest::Peer> peers = [&] {
    std::vector<Peer> started;
    for (int i = 0; i < 3; ++i) started.push_back(StartPeer("drain", {queue}));
    return started;
  }();
  ASSERT_TRUE(test::Eventually(kDeadline, [&] { return broker().Inspect(queue)->consumers == 3; }));
  const auto numbers = Numbers(3000);
  Fill(queue, numbers);
  std::vector<std::string> received;
  ASSERT_TRUE(test::Eventually(kDeadline, [&] {
    received.clear();
    for (const auto& peer : peers) {
      const auto lines = LinesOf(peer);
      received.insert(received.end(), lines.begin(), lines.end());
    }
    return received.size() >= numbers.size();
  }));
  EXPECT_TRUE(std::none_of(peers.begin(), peers.end(), [](const Peer& peer) {
    return LinesOf(peer).empty();
  })) << "each gets some";
  std::multiset<std::string> once(received.begin(), received.end());
  EXPECT_EQ(once, std::multiset<std::string>(numbers.begin(), numbers.end()));
  EXPECT_TRUE(test::Eventually(kDeadline, [&] { return Messages() == 0; }));
}

TEST_F(EmbeddedConsumer, NothingIsLostWhenProcessesAreKilledAtWork) {
  const auto queue = DeclareQueue("q");
  const auto numbers = Numbers(4000);
  Fill(queue, numbers);
  std::mt19937 random(1);
  std::vector<Peer> peers;
  std::set<std::string> received;
  const auto read = [&] {
    for (const auto& peer : peers) {
      for (const auto& line : LinesOf(peer)) received.insert(line);
    }
  };
  for (int i = 0; i < 12; ++i) {
    peers.push_back(StartPeer("drain", {queue}));
    const auto before = received.size() + random() % 400;
    ASSERT_TRUE(test::Eventually(kDeadline, [&] {
      read();
      return received.size() > before || Messages() == 0;
    }));
    peers[random() % peers.size()].process->Kill9();
  }
  peers.push_back(StartPeer("drain", {queue}));
  EXPECT_TRUE(test::Eventually(kDeadline, [&] { return Messages() == 0; }));
  read();
  EXPECT_EQ(received, std::set<std::string>(numbers.begin(), numbers.end()));
}

TEST_F(EmbeddedConsumer, ManyProcessesMayMakeTheFileAtOnce) {
  std::vector<Peer> peers;
  for (int i = 0; i < 12; ++i) peers.push_back(StartPeer("declare", {"q"}));
  for (const auto& peer : peers) {
    EXPECT_EQ(peer.process->Wait(kDeadline), test::ExitStatus{.code = 0});
    EXPECT_THAT(LinesOf(peer), ElementsAre("declared"));
  }
  EXPECT_TRUE(broker().Inspect("q"));
}

TEST_F(EmbeddedConsumer, ConsumesBeforeItsQueueIsThere) {
  const auto consumer = broker().Consume("q", 10);
  EXPECT_THAT(consumer->Receive(1, 100ms), IsEmpty());
  EXPECT_FALSE(consumer->connected());
  DeclareQueue("q");
  Fill("q", {"a"});
  EXPECT_THAT(Bodies(ReceiveSome(*consumer, 1)), ElementsAre("a"));
}

TEST_F(EmbeddedConsumer, AnotherConnectionsLongTransactionDelaysNothingButTheWait) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a"});
  const auto consumer = broker().Consume(queue, 10);
  auto file = File();
  file.Begin();
  std::jthread other([&] { CommitLater(file); });
  EXPECT_THAT(Bodies(consumer->Receive(1, 0ms)), ElementsAre("a"));
  EXPECT_TRUE(consumer->connected());
}

}  // namespace
}  // namespace iq
