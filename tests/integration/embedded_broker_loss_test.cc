// Consumers of the broker within an SQLite file that lose what they held: to others, who take them
// for dead, with their queue, with their file or with its lock file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "host/broker/embedded_holder.h"
#include "tests/integration/embedded_broker_fixture.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class EmbeddedLoss : public test::EmbeddedTest {
 protected:
  // A consumer and the one message, "a", that it holds of its queue.
  struct Holding {
    std::string queue;
    std::unique_ptr<Consumer> consumer;
    std::vector<Delivery> got;
  };
  Holding HoldOne() {
    Holding holding{DeclareQueue("q"), broker().Consume("q", 10), {}};
    Fill(holding.queue, {"a"});
    holding.got = ReceiveSome(*holding.consumer, 1);
    EXPECT_THAT(holding.got, SizeIs(1));
    return holding;
  }

  // As another process would, that found its byte free.
  void BuryAll() const {
    File().RunScript(
        "UPDATE iq_broker_queued SET held_by = 0, redelivered = 1; DELETE FROM iq_broker_consumer");
  }
};

TEST_F(EmbeddedLoss, AnAckOfAnOlderEpochDoesNothing) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b"});
  const auto consumer = broker().Consume(queue, 10);
  const auto before = ReceiveSome(*consumer, 2);
  ASSERT_THAT(before, SizeIs(2));
  BuryAll();
  const auto after = ReceiveSome(*consumer, 2);
  ASSERT_THAT(Bodies(after), ElementsAre("a", "b"));
  EXPECT_THAT(after, Each(Field(&Delivery::epoch, before[0].epoch + 1)));
  consumer->Ack(before[0].epoch, before[1].tag, true);
  consumer->Requeue(before[0].epoch, before[0].tag);
  EXPECT_THAT(consumer->Receive(10, 20ms), IsEmpty());
  EXPECT_EQ(Messages(), 2);
  consumer->Ack(after[1].epoch, after[1].tag, true);
  (void)consumer->Receive(0, 0ms);
  EXPECT_EQ(Messages(), 0);
}

TEST_F(EmbeddedLoss, AcksThatAreDroppedBeginAnEpochBeforeReceiveReturns) {
  const auto [queue, consumer, got] = HoldOne();
  BuryAll();
  consumer->Ack(got[0].epoch, got[0].tag, false);
  EXPECT_THAT(consumer->Receive(0, 0ms), IsEmpty());
  EXPECT_EQ(consumer->epoch(), got[0].epoch + 1);
  EXPECT_EQ(Bodies(ReceiveSome(*consumer, 1)), Bodies(got));
  EXPECT_EQ(consumer->epoch(), got[0].epoch + 1);
}

TEST_F(EmbeddedLoss, AcksThatACancelDropsBeginAnEpochToo) {
  const auto [queue, consumer, got] = HoldOne();
  BuryAll();
  consumer->Ack(got[0].epoch, got[0].tag, false);
  consumer->Cancel();
  EXPECT_EQ(consumer->epoch(), got[0].epoch + 1);
  EXPECT_EQ(Messages(), 1);
}

TEST_F(EmbeddedLoss, AcksThatAnOutageOutlivesBeginAnEpochWhenTheyAreDropped) {
  const auto [queue, consumer, got] = HoldOne();
  consumer->Ack(got[0].epoch, got[0].tag, false);
  auto file = File();
  file.RunScript("ALTER TABLE iq_broker_queued RENAME TO away");
  EXPECT_THAT(consumer->Receive(0, 0ms), IsEmpty());
  ASSERT_FALSE(consumer->connected());
  EXPECT_EQ(consumer->epoch(), got[0].epoch) << "it may still have them";
  file.RunScript("ALTER TABLE away RENAME TO iq_broker_queued");
  BuryAll();
  EXPECT_EQ(Bodies(ReceiveSome(*consumer, 1)), Bodies(got));
  EXPECT_EQ(consumer->epoch(), got[0].epoch + 1);
}

TEST_F(EmbeddedLoss, AnotherFileAtThePathIsNotToldOfAcks) {
  const auto [queue, consumer, got] = HoldOne();
  const auto number = [&] {
    auto file = File();
    auto find = file.Prepare("SELECT number FROM iq_broker_consumer");
    find.Step();
    return find.Integer(0);
  }();
  consumer->Ack(got[0].epoch, got[0].tag, false);
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path() + suffix);

  // One in which the same number holds the same id of the same queue.
  const auto other = OpenAnother();
  Topology topology;
  topology.queues.push_back({queue, {}, "s"});
  other->Declare(topology);
  const auto publisher = other->OpenPublisher();
  publisher->Publish({"", queue}, Text("new"), Routing::kRequired);
  ASSERT_TRUE(ConfirmAll(*publisher));
  File().RunScript(
      fmt::format("INSERT INTO iq_broker_consumer VALUES ({0}, NULL); UPDATE iq_broker_queued SET "
                  "held_by = {0}",
                  number));
  EXPECT_THAT(consumer->Receive(0, 0ms), IsEmpty());
  EXPECT_EQ(consumer->epoch(), got[0].epoch + 1);
  EXPECT_THAT(Bodies(ReceiveSome(*consumer, 1)), ElementsAre("new"));
}

TEST_F(EmbeddedLoss, WhatItHeldComesAgainFromAFileThatWasAwayForAWhile) {
  const auto [queue, consumer, got] = HoldOne();
  MoveAway();
  EXPECT_THAT(consumer->Receive(1, 300ms), IsEmpty());
  EXPECT_FALSE(consumer->connected());
  EXPECT_EQ(consumer->epoch(), got[0].epoch + 1);
  EXPECT_FALSE(std::filesystem::exists(path()));
  PutBack();
  const auto again = ReceiveSome(*consumer, 1);
  ASSERT_THAT(Bodies(again), ElementsAre("a"));
  EXPECT_TRUE(again[0].redelivered);
}

TEST_F(EmbeddedLoss, NobodyIsBuriedForWantOfALockFile) {
  DeclareQueue("q");
  auto file = File();
  const embedded::Holder before(file);
  std::filesystem::remove(path() + "-consumers");
  const embedded::Holder after(file);
  EXPECT_THAT(embedded::DeadHolders(before.locks(), before.number(), file), IsEmpty());
  EXPECT_THAT(embedded::DeadHolders(after.locks(), after.number(), file),
              ElementsAre(before.number()));
}

TEST_F(EmbeddedLoss, NoNumberOfOneFileIsGivenOutInAnother) {
  DeclareQueue("q");
  auto file = File();
  const embedded::Holder here(file);
  MoveAway();
  for (const char* suffix : {"-wal", "-shm", "-consumers"}) {
    std::filesystem::remove(path() + suffix);
  }
  DeclareQueue("q");
  auto another = File();
  const embedded::Holder there(another);
  EXPECT_FALSE(here.KnownTo(another));
}

TEST_F(EmbeddedLoss, ALockFileThatIsRemovedBeginsAnEpoch) {
  const auto [queue, consumer, got] = HoldOne();
  std::filesystem::remove(path() + "-consumers");
  EXPECT_EQ(Bodies(ReceiveSome(*consumer, 1)), Bodies(got));
  EXPECT_EQ(consumer->epoch(), got[0].epoch + 1);
  EXPECT_EQ(broker().Inspect(queue)->consumers, 1U);
}

TEST_F(EmbeddedLoss, AMessageThatIsDamagedStaysWithWhatIsBehindItUntilItIsMended) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"a", "b", "c"});
  const auto consumer = broker().Consume(queue, 10);
  auto file = File();
  file.RunScript(
      "UPDATE iq_broker_message SET properties = 'no JSON' WHERE body = CAST('b' AS BLOB)");
  EXPECT_THAT(consumer->Receive(10, 0ms), IsEmpty());
  EXPECT_FALSE(consumer->connected());
  file.RunScript("UPDATE iq_broker_message SET properties = '{}'");
  EXPECT_THAT(Bodies(ReceiveSome(*consumer, 3)), ElementsAre("a", "b", "c"));
}

TEST_F(EmbeddedLoss, ComesBackWhenItsQueueIsDeleted) {
  const auto [queue, consumer, got] = HoldOne();
  const auto epoch = got[0].epoch;
  File().RunScript("DELETE FROM iq_broker_queue");
  (void)consumer->Receive(0, 0ms);
  EXPECT_EQ(consumer->epoch(), epoch + 1);
  EXPECT_TRUE(test::Eventually(kDeadline, [&] {
    (void)consumer->Receive(1, 10ms);
    return broker().Inspect(queue) && consumer->connected();
  }));
  EXPECT_EQ(consumer->epoch(), epoch + 1);
  Fill(queue, {"b"});
  EXPECT_THAT(Bodies(ReceiveSome(*consumer, 1)), ElementsAre("b"));
}

TEST_F(EmbeddedLoss, ComesBackWithANewFileWhenItsFileIsRemoved) {
  const auto [queue, consumer, before] = HoldOne();
  const auto subscriber = [&] {
    DeclareExchange("e", "topic");
    return broker().Subscribe("e", "#");
  }();
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path() + suffix);
  EXPECT_TRUE(test::Eventually(kDeadline, [&] {
    (void)consumer->Receive(1, 10ms);
    (void)subscriber->Receive(1, 10ms);
    return consumer->connected() && subscriber->connected();
  }));
  EXPECT_GT(consumer->epoch(), before[0].epoch);
  EXPECT_GT(subscriber->epoch(), 1U);
  Fill(queue, {"b"});
  Send({"e", "x"}, Text("c"));
  EXPECT_THAT(Bodies(ReceiveSome(*consumer, 1)), ElementsAre("b"));
  EXPECT_THAT(Bodies(ReceiveSome(*subscriber, 1)), ElementsAre("c"));
}

}  // namespace
}  // namespace iq
