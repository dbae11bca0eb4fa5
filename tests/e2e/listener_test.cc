// Listeners of events: after the commit, at least once, each effect once, and never in a command's
// way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/plugin_folder.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

constexpr auto kPatience = 60s;
constexpr const char* kEars = "billing.events.listen.ears";
constexpr std::int64_t kUser = 1;
constexpr std::int64_t kPurse = 999;  // Of the listener purse.

class ListenerTest : public testing::Test {
 protected:
  ListenerTest() {
    Put("listen_1");
    InstallationOptions options;
    options.plugins = plugins_.path();
    options.limits = "deadline: 1s";
    options.locks = "lease: 2s, wait: 10s";
    iq_ = std::make_unique<Installation>(options);
    for (const std::int64_t user : {kUser, kPurse}) iq_->OpenAccount(user, 0);
  }

  Installation& iq() { return *iq_; }

  void Put(const std::string& built) {
    fs::copy_file(kTestPlugins + built + ".so", plugins_.path() / ".unfinished");
    fs::rename(plugins_.path() / ".unfinished", plugins_.path() / "listen.so");
  }
  void TakeAway() { fs::remove(plugins_.path() / "listen.so"); }

  // Returns its id.
  std::string Say(std::int64_t user, const std::string& how = "") {
    const json details = {{"how", how}, {"mended", Mended()}};
    std::string id = NewId();
    iq().SendWithId(id, Body("test.say", user, "1", details.dump()));
    return id;
  }
  std::string Mended() { return iq().directory() + "/mended"; }
  void Mend() { std::ofstream(Mended()) << '\n'; }

  bool BalanceBecomes(std::int64_t user, std::int64_t thousandths) {
    return Eventually(kPatience, [&] { return iq().Balance(user) == thousandths; });
  }
  bool Says(const std::string& text) {
    return Eventually(kPatience, [&] { return iq().Log().find(text) != std::string::npos; });
  }

  PluginFolder plugins_;
  std::unique_ptr<Installation> iq_;
};

TEST_F(ListenerTest, AnEventTakesEffectAndWhatFollowsFromItIsPublished) {
  iq().StartHosts();
  Say(kUser);
  EXPECT_TRUE(BalanceBecomes(kUser, 1)) << iq().Log();
  const auto events = iq().NextEvents(2);
  ASSERT_EQ(events.size(), 2U);
  const json said = json::parse(events[0].body);
  const json heard = json::parse(events[1].body);
  EXPECT_EQ(heard["event"], "test.heard");
  EXPECT_EQ(heard["commandId"], said["id"]);
  EXPECT_EQ(heard["data"]["of"], said["commandId"]);
  EXPECT_EQ(events[1].properties.correlation_id, events[0].properties.correlation_id);
  EXPECT_EQ(iq().Balance(kPurse), 0) << "it is for other events";
  iq().StopHosts();
}

TEST_F(ListenerTest, EveryListenerHasTheEventOnItsOwn) {
  Put("listen_3");
  iq().StartHosts();
  Say(kUser, "throw");
  EXPECT_TRUE(BalanceBecomes(kPurse, 1)) << iq().Log();
  EXPECT_EQ(iq().NextDead().properties.headers.at("x-iq-queue"), kEars);
  Say(kUser);
  EXPECT_TRUE(BalanceBecomes(kPurse, 2)) << iq().Log();
  EXPECT_TRUE(BalanceBecomes(kUser, 1)) << iq().Log();
  iq().StopHosts();
}

TEST_F(ListenerTest, EachEventTakesEffectOnceWhoeverIsKilled) {
  constexpr std::int64_t kFirst = 100;
  constexpr std::int64_t kUsers = 60;
  constexpr int kKills = 15;
  const auto journalled = [&] {
    return std::stoi(iq().store().Value("SELECT count(*) FROM iq.journal"));
  };
  for (std::int64_t user = kFirst; user < kFirst + kUsers; ++user) iq().OpenAccount(user, 0);
  iq().StartHosts(2);
  std::minstd_rand random(5);
  for (int i = 0; i < kKills; ++i) {
    const int before = journalled();
    std::vector<AmqpPublishing> says;
    for (std::int64_t user = kFirst; user < kFirst + kUsers; ++user) {
      says.push_back({"billing", "", Body("test.say", user), {}});
      says.back().properties.message_id = NewId();
    }
    iq().broker().Publish(says);
    const int enough = before + static_cast<int>(random() % kUsers);
    EXPECT_TRUE(Eventually(kPatience, [&] { return journalled() > enough; })) << iq().Log();
    iq().hosts()[random() % iq().hosts().size()]->Kill9();
    std::erase_if(iq().hosts(), [](const auto& host) { return !host->running(); });
    iq().LaunchHost();
  }
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return journalled() == 2 * kKills * kUsers;  // What was said, and what was heard of it.
  })) << iq().Log();
  EXPECT_EQ(
      iq().store().Value("SELECT count(*) FROM balance WHERE sum = " + std::to_string(kKills)),
      std::to_string(kUsers));
  EXPECT_EQ(iq().DeadCount(), 0U);
  ASSERT_TRUE(Eventually(kPatience, [&] { return iq().broker().Consumers("billing") == 2; }));
  iq().StopHosts();
}

TEST_F(ListenerTest, AFailingOneHoldsNoCommandUpAndItsEventsCanBeRetried) {
  iq().StartHosts();
  Say(kUser, "throw");
  const AmqpDelivery dead = iq().NextDead();
  const auto& headers = dead.properties.headers;
  EXPECT_EQ(headers.at("x-iq-type"), "test.said");
  EXPECT_EQ(headers.at("x-iq-code"), "handler_error");
  EXPECT_EQ(headers.at("x-iq-attempts"), "3");
  EXPECT_EQ(headers.at("x-iq-queue"), kEars);
  EXPECT_EQ(headers.at("x-iq-plugin"), "listen/1.0.0");
  EXPECT_EQ(iq().Balance(kUser), 0);
  EXPECT_EQ(iq().NextEvents(1).at(0).key, "test.said");
  EXPECT_EQ(iq().EventsWaiting(), 0U) << "that an event was refused is no event";

  const std::string id = NewId();
  iq().SendWithId(id, Body("income", kUser));
  EXPECT_TRUE(Eventually(kPatience, [&] { return iq().Outcome(id) == "done"; })) << iq().Log();
  iq().StopHosts();
}

TEST_F(ListenerTest, ARejectedEventIsJudgedAnewByDeadRetry) {
  iq().StartHosts();
  Say(kUser, "reject");
  ASSERT_TRUE(Eventually(kPatience, [&] { return iq().DeadCount() == 1; })) << iq().Log();
  EXPECT_EQ(iq().NextEvents(1).at(0).key, "test.said");
  EXPECT_EQ(iq().EventsWaiting(), 0U) << "that an event was refused is no event";
  Mend();
  const CliResult retried = iq().Cli({"dead", "retry", "--all"});
  EXPECT_EQ(retried.status, 0) << retried.err;
  EXPECT_THAT(retried.out, HasSubstr(kEars));
  EXPECT_TRUE(BalanceBecomes(kUser, 1)) << iq().Log();
  EXPECT_EQ(iq().DeadCount(), 0U);
  iq().StopHosts();
}

TEST_F(ListenerTest, AnEventThatBringsProcessesDownIsFoundAndCommandsGoOn) {
  iq().StartHosts();
  Say(kUser, "kill");
  const bool dead = Eventually(kPatience, [&] {
    const auto ended =
        std::erase_if(iq().hosts(), [](const auto& host) { return !host->running(); });
    for (std::size_t i = 0; i < ended; ++i) iq().LaunchHost();
    return iq().DeadCount() == 1;
  });
  ASSERT_TRUE(dead) << iq().Log();
  const AmqpDelivery letter = iq().NextDead();
  EXPECT_EQ(letter.properties.headers.at("x-iq-code"), "crashed");
  EXPECT_EQ(letter.properties.headers.at("x-iq-queue"), kEars);
  Say(kUser);
  EXPECT_TRUE(BalanceBecomes(kUser, 1)) << iq().Log();
  iq().StopHosts();
}

TEST_F(ListenerTest, EventsWaitWhileItsPluginIsAway) {
  iq().StartHosts();
  TakeAway();
  ASSERT_TRUE(Says("listener listen.purse is gone")) << iq().Log();
  for (int i = 0; i < 3; ++i) iq().SendWithId(NewId(), Body("income", kUser));
  ASSERT_TRUE(BalanceBecomes(kUser, 3000));
  EXPECT_EQ(iq().Balance(kPurse), 0);
  Put("listen_1");
  EXPECT_TRUE(BalanceBecomes(kPurse, 3)) << iq().Log();
  iq().StopHosts();
}

TEST_F(ListenerTest, ANewGenerationHasItsOwnPattern) {
  iq().StartHosts();
  iq().SendWithId(NewId(), Body("income", kUser));
  EXPECT_TRUE(BalanceBecomes(kPurse, 1)) << iq().Log();
  Put("listen_2");
  ASSERT_TRUE(Says("listener listen.purse takes balance.withdraw")) << iq().Log();
  iq().SendWithId(NewId(), Body("income", kUser));
  ASSERT_TRUE(BalanceBecomes(kUser, 2000));
  iq().SendWithId(NewId(), Body("withdraw", kUser));
  EXPECT_TRUE(BalanceBecomes(kPurse, 2)) << iq().Log();
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return iq().broker().Depth("billing.events.listen.purse") == 0;
  })) << "what the old pattern brings is taken as well";
  iq().StopHosts();
  EXPECT_EQ(iq().Balance(kPurse), 2);
}

}  // namespace
}  // namespace iq::test
