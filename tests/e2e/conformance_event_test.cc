// Listeners against abi.h: tests/sdk/conformance_event.c looks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "tests/e2e/conformance_fixture.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kPatience = 60s;

class ConformanceEventTest : public ConformanceTest {
 protected:
  // Has a command emit the events of these names, with the ids of the users that listeners touch.
  static void Announce(const std::string& names, json data, const std::string& id = NewId()) {
    AmqpProperties properties;
    properties.message_id = id;
    properties.correlation_id = "asked by a test";
    properties.headers["traceparent"] = kTraceparent;
    data["commandId"] = id;
    data["correlationId"] = properties.correlation_id;
    data["traceparent"] = kTraceparent;
    iq().Send(CheckBody("events", kAnnouncer, {{"events", names}, {"data", data}}), properties);
  }

  // What came of one announcement with as many events: their names, sorted.
  static std::vector<std::string> Events(std::size_t count) {
    std::vector<std::string> names;
    for (const AmqpDelivery& event : iq().NextEvents(count)) names.push_back(event.key);
    std::sort(names.begin(), names.end());
    return names;
  }
  static bool Heard(std::int64_t user, std::int64_t times) {
    return Eventually(kPatience, [&] { return iq().Balance(user) == times; });
  }

  static constexpr std::int64_t kAnnouncer = 1;
};

TEST_F(ConformanceEventTest, AListenerGetsTheEventWithItsDocument) {
  const std::int64_t witness = NewUser();
  Announce("test.announced", {{"witness", witness}});
  EXPECT_THAT(Events(3), testing::ElementsAre("test.announced", kConformed, kConformed))
      << iq().Log();
  EXPECT_EQ(iq().Balance(witness), 1);
}

TEST_F(ConformanceEventTest, AnEventThatComesAgainIsNotHandledAgain) {
  const std::int64_t witness = NewUser();
  const std::string id = NewId();
  for (int i = 0; i < 2; ++i) {
    Announce("test.announced", {{"witness", witness}}, id);
    EXPECT_THAT(Events(3), testing::ElementsAre("test.announced", kConformed, kConformed))
        << iq().Log();
  }
  EXPECT_EQ(iq().Balance(witness), 1);
}

TEST_F(ConformanceEventTest, WhatAListenerDoesNotDoIsDeadLetteredAndNotPublished) {
  struct Case {
    int returned;
    std::string outcome;
    std::string attempts;
  };
  for (const auto& [returned, outcome, attempts] :
       {Case{100, "rejected", "1"}, Case{250, "retry", "3"}, Case{399, "failed", "3"}}) {
    const std::int64_t witness = NewUser();
    Announce("test.announced", {{"witness", witness}, {"returns", returned}});
    EXPECT_THAT(Events(2), testing::ElementsAre("test.announced", kConformed));
    const AmqpDelivery dead = iq().NextDead();
    EXPECT_EQ(dead.properties.headers.at("x-iq-outcome"), outcome);
    EXPECT_EQ(dead.properties.headers.at("x-iq-attempts"), attempts);
    EXPECT_EQ(dead.properties.headers.at("x-iq-queue"), "billing.events.conformance.witness");
    EXPECT_EQ(iq().Balance(witness), 0);
    EXPECT_EQ(iq().EventsWaiting(), 0U);
  }
}

TEST_F(ConformanceEventTest, PatternsTakeAWordOrAnyNumber) {
  const std::int64_t witness = NewUser();
  const std::int64_t star = NewUser();
  const std::int64_t hash = NewUser();
  const json data = {{"witness", witness}, {"star", star}, {"hash", hash}};
  Announce(
      "test.announced.a.b test.announcer test.heard test.a.b.heard test.a.heard test.announced.c",
      data);
  EXPECT_EQ(Events(7).size(), 7U);
  EXPECT_TRUE(Heard(star, 1)) << iq().Log();
  EXPECT_TRUE(Heard(hash, 2)) << iq().Log();
  Announce("test.announced", data);
  EXPECT_EQ(Events(3).size(), 3U);
  EXPECT_TRUE(Heard(hash, 3)) << iq().Log();
  EXPECT_EQ(iq().Balance(star), 1);
  EXPECT_EQ(iq().Balance(witness), 1);
}

}  // namespace
}  // namespace iq::test
