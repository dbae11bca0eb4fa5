// A lock that somebody else holds: each of locks.on_busy's ways, and what goes on meanwhile.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::int64_t kBusyUser = 1;
constexpr const char* kBusyKey = "user:1";

class LockBusyTest : public testing::Test {
 protected:
  // `locks` and `retry` are parts of the configuration.
  Installation& Start(const std::string& locks, const std::string& retry) {
    InstallationOptions options;
    options.locks = locks;
    options.retry = retry;
    iq_ = std::make_unique<Installation>(options);
    for (std::int64_t user = 1; user <= 9; ++user) iq_->OpenAccount(user, 0);
    iq_->StartHosts();
    return *iq_;
  }
  void TearDown() override { iq_->StopHosts(); }

  void Hold() { lock_ = iq_->profile().HoldLock(kBusyKey); }
  bool Held() { return lock_->Held(); }
  void LetGo() {
    EXPECT_TRUE(Held()) << "a foreign lock was touched";
    lock_.reset();
  }

  // Nothing comes of the busy user's command for all of this time: several times locks.wait.
  void ExpectNothingHappens() {
    EXPECT_FALSE(Eventually(1500ms, [this] { return iq_->EventsWaiting() != 0; })) << iq_->Log();
    EXPECT_EQ(iq_->DeadCount(), 0U);
  }

  json NextEvent() {
    const auto events = iq_->NextEvents(1);
    EXPECT_EQ(events.size(), 1U) << iq_->Log();
    return events.empty() ? json::object() : json::parse(events[0].body);
  }

  // What becomes of one command of the busy user while the key is held for good.
  void ExpectDead(Installation& iq, const std::string& outcome, const std::string& attempts) {
    const std::string body = Body("income", kBusyUser);
    iq.SendWithId(NewId(), body);
    const AmqpDelivery dead = iq.NextDead();
    EXPECT_EQ(dead.body, body);
    EXPECT_EQ(dead.properties.headers.at("x-iq-outcome"), outcome);
    EXPECT_EQ(dead.properties.headers.at("x-iq-code"), "lock_busy");
    EXPECT_EQ(dead.properties.headers.at("x-iq-attempts"), attempts);
    EXPECT_EQ(iq.Balance(kBusyUser), 0);
    json event = NextEvent();
    EXPECT_EQ(event["event"], outcome == "rejected" ? "command.rejected" : "command.failed");
    EXPECT_EQ(event["data"]["code"], "lock_busy");
    LetGo();
  }

 private:
  std::unique_ptr<Installation> iq_;
  std::unique_ptr<ForeignLock> lock_;
};

TEST_F(LockBusyTest, RetryGivesUpAfterItsAttempts) {
  Installation& iq =
      Start("lease: 4s, wait: 200ms, on_busy: retry", "attempts: 3, delays: [100ms, 300ms]");
  Hold();
  ExpectDead(iq, "retry", "3");
}

TEST_F(LockBusyTest, RetrySucceedsOnceTheKeyIsFree) {
  Installation& iq =
      Start("lease: 4s, wait: 200ms, on_busy: retry", "attempts: 100, delays: [100ms, 300ms]");
  Hold();
  const std::string id = NewId();
  iq.SendWithId(id, Body("income", kBusyUser));
  ExpectNothingHappens();
  LetGo();
  EXPECT_EQ(NextEvent()["data"]["balance"], 1'000);
  const std::string attempts =
      iq.store().Value("SELECT attempts FROM iq.journal WHERE message_id = $1", {id});
  EXPECT_GT(std::stoi(attempts), 1);
}

TEST_F(LockBusyTest, RejectGivesUpAtOnce) {
  Installation& iq =
      Start("lease: 4s, wait: 200ms, on_busy: reject", "attempts: 3, delays: [100ms, 300ms]");
  Hold();
  ExpectDead(iq, "rejected", "1");
}

// Who holds the key may have died between the commit of this very command and its ack.
TEST_F(LockBusyTest, ACommandThatWasCarriedOutIsAnsweredAsBefore) {
  Installation& iq =
      Start("lease: 4s, wait: 200ms, on_busy: reject", "attempts: 1, delays: [100ms, 300ms]");
  const std::string id = NewId();
  iq.SendWithId(id, Body("income", kBusyUser));
  const json first = NextEvent();
  Hold();
  iq.SendWithId(id, Body("income", kBusyUser));
  EXPECT_EQ(NextEvent(), first);
  LetGo();
  EXPECT_EQ(iq.Balance(kBusyUser), 1'000);
  EXPECT_EQ(iq.DeadCount(), 0U);
}

TEST_F(LockBusyTest, RequeueCountsNoAttempt) {
  Installation& iq =
      Start("lease: 4s, wait: 200ms, on_busy: requeue", "attempts: 1, delays: [100ms, 300ms]");
  Hold();
  const std::string id = NewId();
  iq.SendWithId(id, Body("income", kBusyUser));
  ExpectNothingHappens();
  LetGo();
  EXPECT_EQ(NextEvent()["data"]["balance"], 1'000);
  EXPECT_EQ(iq.store().Value("SELECT attempts FROM iq.journal WHERE message_id = $1", {id}), "1");
  EXPECT_EQ(iq.DeadCount(), 0U);
}

TEST_F(LockBusyTest, OthersGoOnWhileOneWaitsAndItsOrderIsKept) {
  Installation& iq = Start("lease: 10s, wait: 1m", "attempts: 1, delays: [100ms, 300ms]");
  constexpr std::int64_t kTransferTarget = 2;
  Hold();
  // The transfer waits for the busy user, and the target's income for the transfer.
  const std::string from_busy = fmt::format(R"({{"userFromId":{}}})", kBusyUser);
  iq.SendWithId(NewId(), Body("income", kBusyUser, "1"));
  iq.SendWithId(NewId(), Body("income", kBusyUser, "2"));
  iq.SendWithId(NewId(), Body("transfer", kTransferTarget, "3", from_busy));
  iq.SendWithId(NewId(), Body("income", kTransferTarget, "4"));
  for (std::int64_t user = 3; user <= 9; ++user) iq.SendWithId(NewId(), Body("income", user));
  for (std::int64_t user = 3; user <= 9; ++user) EXPECT_GE(NextEvent()["data"]["userId"], 3);
  EXPECT_EQ(iq.EventsWaiting(), 0U);
  LetGo();
  const auto released = iq.NextEvents(4);
  ASSERT_EQ(released.size(), 4U) << iq.Log();
  EXPECT_EQ(iq.store().Rows("SELECT sum FROM transaction_log WHERE user_id <= 2 ORDER BY id"),
            (std::vector<TestStore::Row>{{"1000"}, {"2000"}, {"3000"}, {"4000"}}));
  EXPECT_EQ(iq.DeadCount(), 0U);
}

}  // namespace
}  // namespace iq::test
