// A worker on the embedded drivers, with locks that say what a test wants.
#include "host/worker.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "host/migrations.h"
#include "host/topology.h"
#include "tests/support/eventually.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

// Whether the lock may be had: asked for each set of keys.
using LockAnswer = std::function<bool()>;

// What a worker has had done, in order. The worker's own until it has ended.
using Steps = std::vector<std::string>;

class ScriptedLocks final : public Locks {
 public:
  ScriptedLocks(const LockAnswer& answer, Steps& steps) : answer_(answer), steps_(steps) {}
  std::vector<bool> TryAcquire(std::span<const LockKeys> sets) override {
    std::vector<bool> taken;
    taken.reserve(sets.size());
    for (std::size_t i = 0; i < sets.size(); ++i) taken.push_back(answer_());
    return taken;
  }
  bool Renew() override { return true; }
  void StartRelease() override { steps_.emplace_back("release"); }
  void FinishRelease() override {}
  Clock::time_point expires_at() const override { return Clock::time_point::max(); }
  std::chrono::milliseconds UntilNextAttempt() const override { return 0ms; }

 private:
  const LockAnswer& answer_;
  Steps& steps_;
};

class ScriptedLockService final : public LockService {
 public:
  ScriptedLockService(LockAnswer answer, Steps& steps)
      : answer_(std::move(answer)), steps_(steps) {}
  std::string name() const override { return "scripted locks"; }
  std::unique_ptr<Locks> Open() override {
    return std::make_unique<ScriptedLocks>(answer_, steps_);
  }

 private:
  LockAnswer answer_;
  Steps& steps_;
};

// Takes everything and confirms nothing.
class SilentPublisher final : public Publisher {
 public:
  SilentPublisher(bool ready, Steps& steps) : ready_(ready), steps_(steps) {}
  Number Publish(Address /*address*/, Message /*message*/, Routing /*routing*/) override {
    return ++last_;
  }
  std::vector<Number> Collect(std::chrono::milliseconds /*wait*/) override {
    if (std::exchange(written_, last_) != last_) steps_.emplace_back("write");
    return {};
  }
  void Forget(Number /*number*/) override {}
  std::size_t unconfirmed() const override { return last_; }
  bool blocked() const override { return false; }
  bool ready() const override { return ready_; }

 private:
  const bool ready_;
  Steps& steps_;
  Number last_ = 0;
  Number written_ = 0;
};

class SilentBroker final : public Broker {
 public:
  SilentBroker(const std::unique_ptr<Broker>& broker, Steps& steps)
      : broker_(broker), steps_(steps) {}
  void set_ready(bool ready) { ready_ = ready; }
  std::string name() const override { return broker_->name(); }
  void Declare(const Topology& topology) override { broker_->Declare(topology); }
  std::unique_ptr<Consumer> Consume(const std::string& queue, std::uint16_t prefetch) override {
    return broker_->Consume(queue, prefetch);
  }
  std::unique_ptr<Publisher> OpenPublisher() override {
    return std::make_unique<SilentPublisher>(ready_, steps_);
  }
  std::unique_ptr<Consumer> Subscribe(const std::string& exchange,
                                      const std::string& pattern) override {
    return broker_->Subscribe(exchange, pattern);
  }
  ReplyQueue OpenReplyQueue() override { return broker_->OpenReplyQueue(); }
  std::unique_ptr<Browser> Browse(const std::string& queue) override {
    return broker_->Browse(queue);
  }
  std::optional<QueueState> Inspect(const std::string& queue) override {
    return broker_->Inspect(queue);
  }

 private:
  const std::unique_ptr<Broker>& broker_;
  Steps& steps_;
  bool ready_ = true;
};

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    std::string pattern = "/tmp/iq-worker-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    config_.broker.url = "sqlite:" + (directory_ / "iq.db").string();
    config_.store.url = config_.broker.url;
    config_.locks.wait = 50ms;
    config_.plugins.directory = IQ_BINARY_DIR "/plugins";
    broker_ = OpenBroker(config_.broker.url, "test");
    store_ = OpenStore(config_.store.url);
    session_ = store_->Open(10s);
    Apply(*session_, IQ_SOURCE_DIR "/sql", store_->dialect(), [](const Migration&) {});
    session_->RunScript("INSERT INTO balance (user_id, sum) VALUES (2, 0)");
    broker_->Declare(MakeTopology(config_));
    publisher_ = broker_->OpenPublisher();
  }
  ~WorkerTest() override {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    std::filesystem::remove_all(directory_);
  }

  void Start(LockAnswer answer) { Start(std::move(answer), *broker_); }

  void Start(LockAnswer answer, Broker& broker) {
    locks_ = std::make_unique<ScriptedLockService>(std::move(answer), steps_);
    plugins_ = std::make_unique<PluginDirectory>(config_.plugins);
    thread_ = std::thread([this, &broker] {
      Worker({config_, config_.consumers[0], *plugins_, broker, *store_, *locks_}).Run(stop_);
    });
  }

  void UsePlugin(const std::string& name) {
    const auto plugins = directory_ / "plugins";
    std::filesystem::create_directory(plugins);
    std::filesystem::permissions(plugins, std::filesystem::perms::owner_all);
    std::filesystem::create_symlink(IQ_BINARY_DIR "/test_plugins/" + name + ".so",
                                    plugins / (name + ".so"));
    config_.plugins.directory = plugins;
  }

  void SendIncome(const std::string& id) { Send(R"({"type":"income","userId":2,"sum":1})", id); }

  void Send(const std::string& body, const std::string& id) {
    Message message;
    message.body = body;
    message.message_id = id;
    publisher_->Publish({"billing", ""}, message, Publisher::Routing::kRequired);
    while (publisher_->unconfirmed() != 0) publisher_->Collect(100ms);
  }

  // With one command, and a broker that confirms nothing.
  Steps StepsOfACommand(bool publisher_is_ready) {
    config_.limits.shutdown = 100ms;  // It would wait for the confirms.
    silent_.set_ready(publisher_is_ready);
    SendIncome("1");
    Start([] { return true; }, silent_);
    EXPECT_TRUE(test::Eventually(10s, [&] { return Balance() == 1000; }));
    stop_ = true;
    thread_.join();
    return steps_;
  }

  std::int64_t Balance() {
    return session_->Query("SELECT sum FROM balance WHERE user_id = 2", {}).At(0, 0).u.i64;
  }

  std::filesystem::path directory_;
  Config config_;
  std::unique_ptr<Broker> broker_;
  Steps steps_;
  SilentBroker silent_{broker_, steps_};
  std::unique_ptr<Store> store_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<LockService> locks_;
  std::unique_ptr<PluginDirectory> plugins_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// The answer that comes when the wait is over: taken, and so neither given up nor given back.
TEST_F(WorkerTest, ALockThatComesJustAfterTheWaitRunsTheCommand) {
  config_.locks.on_busy = LocksConfig::OnBusy::kRequeue;
  std::atomic<int> asked{0};
  Start([&] {
    if (++asked == 1) return false;
    if (asked == 2) std::this_thread::sleep_for(config_.locks.wait + 20ms);
    return true;
  });
  SendIncome("late");
  EXPECT_TRUE(test::Eventually(10s, [&] { return Balance() == 1000; }));
  EXPECT_EQ(asked, 2) << "it went back to the queue although its lock was taken";
}

TEST_F(WorkerTest, TheJournalSaysWhichLocksACommandHeld) {
  Start([] { return true; });
  SendIncome("one");
  ASSERT_TRUE(test::Eventually(10s, [&] { return Balance() == 1000; }));
  const auto rows =
      session_->Query("SELECT count(*) FROM iq_journal WHERE keys = '[\"user:2\"]'", {});
  EXPECT_EQ(rows.At(0, 0).u.i64, 1);
}

TEST_F(WorkerTest, ACommandWhoseLockStaysTakenGoesBackToTheQueueAndIsTriedAgain) {
  config_.locks.on_busy = LocksConfig::OnBusy::kRequeue;
  std::atomic<bool> free{false};
  std::atomic<int> asked{0};
  Start([&] {
    ++asked;
    return free.load();
  });
  SendIncome("waiting");
  ASSERT_TRUE(test::Eventually(10s, [&] { return asked > 100; }));
  EXPECT_EQ(Balance(), 0);
  free = true;
  EXPECT_TRUE(test::Eventually(10s, [&] { return Balance() == 1000; }));
}

// A batch that takes long is cut: otherwise nobody answered the broker's heartbeats.
TEST_F(WorkerTest, WhatABatchHasNoTimeForWaitsForTheNextTurn) {
  UsePlugin("misbehave");
  for (const char* const id : {"1", "2", "3", "4"}) {
    Send(R"({"type":"test.slow","userId":2,"details":{"ms":4000}})", id);
  }
  Start([] { return true; });
  ASSERT_TRUE(test::Eventually(30s, [&] { return Balance() != 0; }));
  EXPECT_EQ(Balance(), 3);
  EXPECT_TRUE(test::Eventually(10s, [&] { return Balance() == 4; }));
}

TEST_F(WorkerTest, WhileTheBrokerIsSlowToConfirmCommandsGatherAndAllAreRun) {
  constexpr int kCommands = 30;
  config_.limits.shutdown = 100ms;  // It would wait for the confirms.
  const auto start = std::chrono::steady_clock::now();
  Start([] { return true; }, silent_);
  for (int i = 0; i < kCommands; ++i) {
    SendIncome(std::to_string(i));
    std::this_thread::sleep_for(5ms);  // Time enough for each to run alone.
  }
  EXPECT_TRUE(test::Eventually(10s, [&] { return Balance() == kCommands * 1000; }));
  const auto passed = std::chrono::steady_clock::now() - start;
  const auto batches = session_->Query("SELECT count(DISTINCT batch) FROM iq_journal", {});
  constexpr int kBeforeAnyWaits = 3;
  EXPECT_LE(batches.At(0, 0).u.i64, kBeforeAnyWaits + 1 + passed / 100ms);
}

TEST_F(WorkerTest, EventsAreWrittenBeforeTheLocksAreGivenBack) {
  EXPECT_EQ(StepsOfACommand(/*publisher_is_ready=*/true), (Steps{"write", "release"}));
}

TEST_F(WorkerTest, LocksDoNotWaitForABrokerThatMayTakeItsTime) {
  EXPECT_EQ(StepsOfACommand(/*publisher_is_ready=*/false), (Steps{"release", "write"}));
}

// Without an id a delivery that comes again takes effect again.
TEST_F(WorkerTest, WhatHasNothingToPublishIsAckedThoughTheWorkerStopsInThatVeryTurn) {
  UsePlugin("quiet");
  Start([&] {
    stop_ = true;
    return true;
  });
  Send(R"({"type":"test.quiet","userId":2})", "");
  thread_.join();
  EXPECT_EQ(Balance(), 1);
  EXPECT_EQ(broker_->Inspect("billing")->ready, 0U) << "it was given back";
}

}  // namespace
}  // namespace iq
