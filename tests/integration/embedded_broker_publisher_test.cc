// Publishers into the broker within an SQLite file, and all that can keep a message out of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <numeric>
#include <set>
#include <string>
#include <thread>

#include "host/base/error.h"
#include "tests/integration/embedded_broker_fixture.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Clock = std::chrono::steady_clock;

constexpr uid_t kNobody = 65534;

class EmbeddedPublisher : public test::EmbeddedTest {
 protected:
  static std::vector<Publisher::Number> CollectAll(Publisher& publisher) {
    std::vector<Publisher::Number> all;
    (void)test::Eventually(kDeadline, [&] {
      const auto some = publisher.Collect(50ms);
      all.insert(all.end(), some.begin(), some.end());
      return publisher.unconfirmed() == 0;
    });
    return all;
  }
};

// Nothing can be written beyond the first bytes of a file: to SQLite it is as a full disk, and it
// holds for root too.
class FullDisk {
 public:
  FullDisk() {
    former_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &former_);
    rlimit limit = former_;
    limit.rlim_cur = kBytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &former_);
    std::signal(SIGXFSZ, former_handler_);
  }

 private:
  static constexpr rlim_t kBytes = 1024;

  rlimit former_{};
  void (*former_handler_)(int) = nullptr;
};

// The directory and what is in it cannot be written, not by root either: root becomes nobody.
class ReadOnly {
 public:
  explicit ReadOnly(const std::string& directory) : directory_(directory) {
    Allow(0444, 0555);
    if (user_ == 0 && seteuid(kNobody) != 0) ADD_FAILURE() << "cannot become nobody";
  }
  ReadOnly(const ReadOnly&) = delete;
  ReadOnly& operator=(const ReadOnly&) = delete;
  ~ReadOnly() {
    if (user_ == 0 && seteuid(0) != 0) ADD_FAILURE() << "cannot become root again";
    Allow(0644, 0755);
  }

 private:
  void Allow(unsigned file, unsigned directory) const {
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      std::filesystem::permissions(entry.path(), std::filesystem::perms(file));
    }
    std::filesystem::permissions(directory_, std::filesystem::perms(directory));
  }

  const std::string directory_;
  const uid_t user_ = geteuid();
};

TEST_F(EmbeddedPublisher, EachMessageIsConfirmedOnceAndTheyKeepTheirOrder) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  constexpr std::size_t kCount = 3000;
  for (std::size_t i = 1; i <= kCount; ++i) {
    EXPECT_EQ(publisher->Publish({"", queue}, Text(std::to_string(i)), Routing::kRequired), i);
  }
  EXPECT_EQ(publisher->unconfirmed(), kCount);
  EXPECT_EQ(broker().Inspect(queue)->ready, 0U) << "Publish only takes the message";
  const auto confirmed = CollectAll(*publisher);
  std::vector<Publisher::Number> expected(kCount);
  std::iota(expected.begin(), expected.end(), 1U);
  EXPECT_EQ(confirmed, expected);
  EXPECT_EQ(Ready(queue), Numbers(kCount));
}

TEST_F(EmbeddedPublisher, WithNothingUnconfirmedCollectDoesNotWait) {
  const auto publisher = broker().OpenPublisher();
  const auto began = Clock::now();
  EXPECT_THAT(publisher->Collect(10s), IsEmpty());
  EXPECT_LT(Clock::now() - began, 5s);
}

TEST_F(EmbeddedPublisher, AnOptionalMessageThatNobodyWantsIsConfirmed) {
  DeclareExchange("e", "topic");
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"e", "nobody"}, Text("x"), Routing::kOptional);
  publisher->Publish({"", "nobody"}, Text("x"), Routing::kOptional);
  EXPECT_THAT(CollectAll(*publisher), ElementsAre(1, 2));
}

// It waits for no other writer either.
TEST_F(EmbeddedPublisher, WhatNobodyWantsWritesNothing) {
  DeclareExchange("e", "topic");
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"e", "x"}, Text("x"), Routing::kOptional);
  ASSERT_THAT(CollectAll(*publisher), SizeIs(1));
  auto file = File();
  file.Begin();
  publisher->Publish({"e", "x"}, Text("x"), Routing::kOptional);
  EXPECT_THAT(publisher->Collect(0ms), ElementsAre(2));
  file.Commit();
}

TEST_F(EmbeddedPublisher, ARequiredMessageArrivesOnceItsQueueIsRestored) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"", queue}, Text("a"), Routing::kRequired);
  ASSERT_THAT(CollectAll(*publisher), ElementsAre(1));
  File().RunScript("DELETE FROM iq_broker_queue");
  publisher->Publish({"", queue}, Text("b"), Routing::kRequired);
  EXPECT_THAT(CollectAll(*publisher), ElementsAre(2));
  EXPECT_THAT(Ready(queue), ElementsAre("b"));
}

TEST_F(EmbeddedPublisher, ARequiredMessageWithoutARouteIsNeverConfirmedAndHoldsUpNobody) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  const auto lost = publisher->Publish({"", "none"}, Text("a"), Routing::kRequired);
  publisher->Publish({"", queue}, Text("b"), Routing::kRequired);
  EXPECT_THAT(publisher->Collect(10s), ElementsAre(lost + 1));
  EXPECT_THAT(publisher->Collect(700ms), IsEmpty());
  DeclareQueue("none");
  EXPECT_THAT(CollectAll(*publisher), ElementsAre(lost));
  EXPECT_THAT(Ready("none"), ElementsAre("a"));
}

TEST_F(EmbeddedPublisher, AMessageToAnExchangeThatIsNotThereWaitsForItAndHoldsUpNobody) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  const auto waits = publisher->Publish({"none", ""}, Text("a"), Routing::kOptional);
  publisher->Publish({"", queue}, Text("b"), Routing::kRequired);
  EXPECT_THAT(publisher->Collect(10s), ElementsAre(waits + 1));
  DeclareExchange("none", "topic");
  EXPECT_THAT(CollectAll(*publisher), ElementsAre(waits));
}

TEST_F(EmbeddedPublisher, AQueueThatIsBoundWhileItWaitsForItsTurnGetsTheMessageToo) {
  DeclareExchange("e", "topic");
  for (const char* queue : {"early", "late"}) DeclareQueue(queue);
  Bind("e", "early", "#");
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"e", "x"}, Text("a"), Routing::kRequired);
  ASSERT_TRUE(ConfirmAll(*publisher));
  auto file = File();
  file.Begin();
  file.RunScript(
      "INSERT INTO iq_broker_binding SELECT 'e', '#', id FROM iq_broker_queue WHERE name = 'late'");
  std::jthread other([&] { CommitLater(file); });
  publisher->Publish({"e", "x"}, Text("b"), Routing::kRequired);
  EXPECT_THAT(publisher->Collect(0ms), SizeIs(1));
  EXPECT_THAT(Ready("early"), ElementsAre("a", "b"));
  EXPECT_THAT(Ready("late"), ElementsAre("b"));
}

TEST_F(EmbeddedPublisher, AForgottenMessageGivesNoReceiptAndDoesNotArrive) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  const auto first = publisher->Publish({"", queue}, Text("a"), Routing::kRequired);
  publisher->Forget(first);
  publisher->Forget(first);
  publisher->Publish({"", queue}, Text("b"), Routing::kRequired);
  EXPECT_EQ(publisher->unconfirmed(), 1U);
  EXPECT_THAT(CollectAll(*publisher), ElementsAre(2));
  EXPECT_THAT(Ready(queue), ElementsAre("b"));
}

TEST_F(EmbeddedPublisher, WhatAKilledProcessWasToldIsConfirmedIsInTheQueue) {
  const auto queue = DeclareQueue("q");
  auto peer = StartPeer("publish", {queue});
  ASSERT_TRUE(HasLines(peer, 500));
  peer.process->Kill9();
  const auto confirmed = LinesOf(peer);
  const auto arrived = Ready(queue);
  EXPECT_GE(arrived.size(), confirmed.size());
  EXPECT_TRUE(std::equal(confirmed.begin(), confirmed.end(), arrived.begin()));
}

TEST_F(EmbeddedPublisher, AFullDiskBlocksAndLosesNothing) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"first", "second"});
  const auto consumer = broker().Consume(queue, 10'000);
  const auto held = ReceiveSome(*consumer, 2);
  ASSERT_THAT(held, SizeIs(2));
  const auto publisher = broker().OpenPublisher();
  std::set<std::string> published;
  {
    const FullDisk full;
    for (int i = 0; i < 2000; ++i) {
      const std::string body = std::to_string(i) + std::string(2'000, 'x');
      published.insert(body);
      publisher->Publish({"", queue}, Text(body), Routing::kRequired);
    }
    EXPECT_THAT(publisher->Collect(0ms), IsEmpty());
    EXPECT_TRUE(publisher->blocked());
    const auto began = Clock::now();
    EXPECT_THAT(publisher->Collect(100ms), IsEmpty());
    EXPECT_LT(Clock::now() - began, 2s);
    EXPECT_EQ(publisher->unconfirmed(), published.size());

    // The consumer's acks wait, and its deliveries stay its own.
    consumer->Ack(held[0].epoch, held[0].tag, false);
    EXPECT_TRUE(test::Eventually(kDeadline, [&] {
      EXPECT_THAT(consumer->Receive(0, 20ms), IsEmpty());
      return !consumer->connected();
    }));
  }
  ASSERT_TRUE(ConfirmAll(*publisher));
  EXPECT_FALSE(publisher->blocked());
  EXPECT_EQ(broker().Inspect(queue)->ready, published.size());
  std::set<std::string> arrived;
  for (const auto& delivery : ReceiveSome(*consumer, published.size())) {
    arrived.insert(delivery.message.body);
  }
  EXPECT_TRUE(arrived == published);
  EXPECT_EQ(consumer->epoch(), held[0].epoch);
  consumer->Ack(held[1].epoch, held[1].tag, true);
  (void)consumer->Receive(0, 0ms);
  auto file = File();
  auto count = file.Prepare("SELECT count(*) FROM iq_broker_message");
  count.Step();
  EXPECT_EQ(count.Integer(0), static_cast<std::int64_t>(published.size()));
}

TEST_F(EmbeddedPublisher, AFileThatCannotBeWrittenIsWaitedFor) {
  const auto queue = DeclareQueue("q");
  Fill(queue, {"first"});
  const auto publisher = broker().OpenPublisher();
  const auto consumer = broker().Consume(queue, 10);
  publisher->Publish({"", queue}, Text("a"), Routing::kRequired);
  {
    const ReadOnly read_only(directory());
    EXPECT_THAT(publisher->Collect(100ms), IsEmpty());
    const auto began = Clock::now();
    EXPECT_THAT(consumer->Receive(1, 100ms), IsEmpty());
    EXPECT_GE(Clock::now() - began, 100ms);
    EXPECT_FALSE(consumer->connected());
    EXPECT_THROW((void)broker().Browse(queue), Unavailable);
    EXPECT_THROW((void)broker().OpenReplyQueue(), Unavailable);
  }
  EXPECT_TRUE(ConfirmAll(*publisher));
  EXPECT_THAT(Bodies(ReceiveSome(*consumer, 2)), ElementsAre("first", "a"));
}

TEST_F(EmbeddedPublisher, AFileThatIsReplacedIsDeclaredAnew) {
  const auto queue = DeclareQueue("q");
  const auto publisher = broker().OpenPublisher();
  publisher->Publish({"", queue}, Text("a"), Routing::kRequired);
  ASSERT_TRUE(ConfirmAll(*publisher));
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path() + suffix);
  publisher->Publish({"", queue}, Text("b"), Routing::kRequired);
  ASSERT_TRUE(ConfirmAll(*publisher));
  EXPECT_THAT(Ready(queue), ElementsAre("b"));
}

}  // namespace
}  // namespace iq
