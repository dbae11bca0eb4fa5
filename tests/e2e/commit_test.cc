// Connections that are cut at the worst moments: around COMMIT, and between confirm and ack.
#include <gtest/gtest.h>

#include <atomic>
#include <random>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/load.h"
#include "tests/support/eventually.h"
#include "tests/support/shared_servers.h"
#include "tests/support/tcp_proxy.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using Action = TcpProxy::Action;

constexpr int kRounds = 20;
constexpr auto kPatience = 60s;
// The text of a Parse message (PostgreSQL protocol 3): it ends with a zero byte, which tells it
// from READ COMMITTED.
constexpr std::string_view kCommit = "COMMIT\0"sv;
// Class and method of basic.ack (AMQP 0-9-1), which a client sends for deliveries alone.
constexpr std::string_view kBasicAck = "\x00\x3C\x00\x50"sv;

// Does `action` to the first chunk with `bytes` after each call of Arm().
class Trap {
 public:
  Trap(std::string_view bytes, Action action) : bytes_(bytes), action_(action) {}

  void Arm() { armed_ = true; }
  bool sprung() const { return !armed_; }

  TcpProxy::Hook Hook() {
    return [this](std::string_view chunk) {
      const bool hit = chunk.find(bytes_) != std::string_view::npos && armed_.exchange(false);
      return hit ? action_ : Action::kForward;
    };
  }

 private:
  std::string_view bytes_;
  Action action_;
  std::atomic<bool> armed_{false};
};

// A host that reaches PostgreSQL and RabbitMQ through proxies.
class CommitTest : public testing::Test {
 protected:
  void SetUp() override {
    InstallationOptions options;
    options.store_url = store_.Through(TestServers().store_url());
    options.broker_url = broker_.Through(TestServers().broker_url());
    iq_ = std::make_unique<Installation>(options);
    iq_->StartHosts();
  }
  void TearDown() override {
    store_.OnClientBytes(nullptr);
    broker_.OnClientBytes(nullptr);
    broker_.OnServerBytes(nullptr);
    iq_->StopHosts();
  }

  // Rounds of a batch each, with the trap set before.
  void ExpectEachOnceInSpiteOf(TcpProxy& proxy, Trap& trap, std::size_t batch) {
    proxy.OnClientBytes(trap.Hook());
    Load load(*iq_);
    for (int round = 1; round <= kRounds; ++round) {
      trap.Arm();
      load.Publish(batch);
      ASSERT_TRUE(Eventually(kPatience, [&] { return trap.sprung(); })) << "round " << round << "\n"
                                                                        << iq_->Log();
      ASSERT_TRUE(load.Reaches(load.published(), kPatience)) << "round " << round << "\n"
                                                             << iq_->Log();
      ASSERT_EQ(load.SeeEvents(load.published(), kPatience), load.published()) << "round " << round;
    }
    load.ExpectEachOnce(kPatience);
  }

  TcpProxy store_{"127.0.0.1", PortOf(TestServers().store_url())};
  TcpProxy broker_{"127.0.0.1", PortOf(TestServers().broker_url())};
  std::unique_ptr<Installation> iq_;
};

TEST_F(CommitTest, ACommitThatNeverReachedTheServerIsDoneAgain) {
  Trap trap(kCommit, Action::kCutBefore);
  ExpectEachOnceInSpiteOf(store_, trap, 15);
  EXPECT_NE(iq_->Log().find("did not answer to COMMIT"), std::string::npos);
}

TEST_F(CommitTest, ACommitWhoseAnswerIsLostIsNotDoneAgain) {
  Trap trap(kCommit, Action::kCutAfter);
  ExpectEachOnceInSpiteOf(store_, trap, 15);
  EXPECT_NE(iq_->Log().find("did not answer to COMMIT"), std::string::npos);
}

TEST_F(CommitTest, ASingleCommandSurvivesALostCommitToo) {
  Trap trap(kCommit, Action::kCutAfter);
  ExpectEachOnceInSpiteOf(store_, trap, 1);
}

TEST_F(CommitTest, ADeliveryWhoseAckIsLostGetsTheSameEventAgain) {
  Trap trap(kBasicAck, Action::kCutBefore);
  broker_.OnClientBytes(trap.Hook());
  Load load(*iq_);
  for (int round = 1; round <= kRounds; ++round) {
    trap.Arm();
    load.Publish(1);
    ASSERT_TRUE(Eventually(kPatience, [&] { return trap.sprung(); })) << "round " << round << "\n"
                                                                      << iq_->Log();
  }
  load.ExpectEachOnce(kPatience);
  EXPECT_GE(load.SeeWaitingEvents(), 2U * kRounds) << "an ack was lost, and no second event came";
}

TEST_F(CommitTest, CutsAtRandomPointsLoseAndRepeatNothing) {
  constexpr std::size_t kCommands = 500;
  constexpr int kCutsMax = 40;
  constexpr unsigned kChunksPerCut = 25;
  Load load(*iq_);
  std::atomic<int> cuts{0};
  std::minstd_rand random(20240607);
  const auto cut = [&](std::string_view) {
    if (cuts == kCutsMax || random() % kChunksPerCut != 0) return Action::kForward;
    ++cuts;
    return random() % 2 == 0 ? Action::kCutBefore : Action::kCutAfter;
  };
  broker_.OnClientBytes(cut);
  broker_.OnServerBytes(cut);
  std::size_t waves = 0;
  for (; load.published() < kCommands || cuts < kCutsMax; ++waves) {
    ASSERT_LT(waves, 200U) << cuts << " cuts only";
    load.Publish(20);
    ASSERT_TRUE(load.Reaches(load.published() * 3 / 4, kPatience)) << iq_->Log();
  }
  load.ExpectEachOnce(kPatience);
}

}  // namespace
}  // namespace iq::test
