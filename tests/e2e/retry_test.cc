// Retries that a handler asks for, and the settings that change how a command is judged.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/plugin_folder.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// The JSON of the only event that comes next.
json NextEvent(Installation& iq) {
  const auto events = iq.NextEvents(1);
  EXPECT_EQ(events.size(), 1U) << iq.Log();
  return events.empty() ? json::object() : json::parse(events[0].body);
}

TEST(RetryTest, AttemptsAreCountedAndTheEffectIsOnce) {
  PluginFolder plugins{"misbehave.so"};
  InstallationOptions options;
  options.plugins = plugins.path();
  Installation iq(options);
  iq.OpenAccount(1, 0);
  iq.StartHosts();
  const std::string id = NewId();
  iq.SendWithId(id, Body("test.retry", 1, "1", R"({"times":2})"));
  json event = NextEvent(iq);
  EXPECT_EQ(event["event"], "test.retry");
  EXPECT_EQ(event["data"]["attempt"], 3);
  EXPECT_TRUE(iq.Drained(20s));
  EXPECT_EQ(iq.Balance(1), 1);
  EXPECT_EQ(iq.store().Value("SELECT attempts FROM iq.journal WHERE message_id = $1", {id}), "3");
  EXPECT_EQ(iq.DeadCount(), 0U);
  EXPECT_EQ(iq.EventsWaiting(), 0U);
  iq.StopHosts();
}

TEST(RetryTest, ACaptureThatOvertakesItsHoldWaitsForIt) {
  InstallationOptions options;
  options.plugin_settings = "{lock: {await_hold: true}}";
  options.retry = "attempts: 20, delays: [100ms, 300ms]";
  Installation iq(options);
  iq.OpenAccount(1, 10'000);
  iq.StartHosts();
  const std::string capture = NewId();
  iq.SendWithId(capture, Body("lock", 1, "3", HoldDetails("withdraw", "early")));
  ASSERT_TRUE(Eventually(20s, [&] { return iq.Log().find("unknown_hold") != std::string::npos; }));
  EXPECT_EQ(iq.Outcome(capture), "");
  iq.SendWithId(NewId(), Body("lock", 1, "3", HoldDetails("lock", "early")));
  EXPECT_EQ(NextEvent(iq)["data"]["event"], "lock");
  json captured = NextEvent(iq);
  EXPECT_EQ(captured["commandId"], capture);
  EXPECT_EQ(captured["event"], "balance.lock");
  EXPECT_EQ(iq.Balance(1), 7'000);
  EXPECT_EQ(iq.store().Value("SELECT count(*) FROM blocked_money"), "0");

  const std::string lonely = Body("lock", 1, "3", HoldDetails("withdraw", "never held"));
  iq.SendWithId(NewId(), lonely);
  const AmqpDelivery dead = iq.NextDead();
  EXPECT_EQ(dead.body, lonely);
  EXPECT_EQ(dead.properties.headers.at("x-iq-outcome"), "rejected");
  EXPECT_EQ(dead.properties.headers.at("x-iq-code"), "unknown_hold");
  EXPECT_EQ(dead.properties.headers.at("x-iq-attempts"), "20");
  EXPECT_EQ(NextEvent(iq)["event"], "command.rejected");
  iq.StopHosts();
}

TEST(InboxTest, ACommandWithoutAnIdIsRefusedWhereOneIsRequired) {
  InstallationOptions options;
  options.inbox = "require_id: true";
  Installation iq(options);
  iq.OpenAccount(1, 0);
  iq.StartHosts();
  const std::string body = Body("income", 1);
  iq.Send(body);
  const AmqpDelivery dead = iq.NextDead();
  EXPECT_EQ(dead.body, body);
  EXPECT_EQ(dead.properties.headers.at("x-iq-code"), "no_id");
  EXPECT_EQ(dead.properties.headers.at("x-iq-outcome"), "invalid");
  iq.SendWithId(NewId(), body);
  EXPECT_EQ(NextEvent(iq)["data"]["balance"], 1'000);
  iq.Send(R"({"type":"income","userId":1,"sum":1,"id":"in the body"})");
  EXPECT_EQ(NextEvent(iq)["data"]["balance"], 2'000);
  EXPECT_EQ(iq.DeadCount(), 0U);
  iq.StopHosts();
}

TEST(IncomeTest, OpensAccountsWhereItMay) {
  InstallationOptions options;
  options.plugin_settings = "{income: {open_accounts: true}}";
  Installation iq(options);
  iq.StartHosts();
  iq.SendWithId(NewId(), Body("income", 77, "1.5"));
  EXPECT_EQ(NextEvent(iq)["data"]["balance"], 1'500);
  std::vector<AmqpPublishing> together;
  together.reserve(4);
  for (const std::int64_t user : {77, 78, 79, 78}) {
    together.push_back({"billing", "", Body("income", user), {}});
    together.back().properties.message_id = NewId();
  }
  iq.broker().Publish(together);
  EXPECT_EQ(iq.NextEvents(4).size(), 4U);
  EXPECT_EQ(iq.Balance(77), 2'500);
  EXPECT_EQ(iq.Balance(78), 2'000);
  EXPECT_EQ(iq.Balance(79), 1'000);
  EXPECT_EQ(iq.DeadCount(), 0U);
  iq.StopHosts();
}

}  // namespace
}  // namespace iq::test
