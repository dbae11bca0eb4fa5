#include "host/admin/pulse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace iq {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;
using testing::DoubleNear;

// Of a process that has done so many commands, each within `bound`.
Json Report(double done, double bound = 0.001) {
  const double fast = bound <= 0.001 ? done : 0;
  return Json::parse(R"({"version": "1", "phase": "serving", "startedAt": "T", "faults": [],
    "workers": [], "servers": [], "commands": [{"type": "income", "outcome": "done", "count": 0}],
    "counts": {"retries": 0}})")
      .patch({{{"op", "replace"}, {"path", "/commands/0/count"}, {"value", done}},
              {{"op", "replace"}, {"path", "/counts/retries"}, {"value", done / 2}},
              {{"op", "add"},
               {"path", "/latency"},
               {"value",
                {{"sum", done * bound},
                 {"count", done},
                 {"buckets", Json::array({Json::array({0.001, fast}), Json::array({0.002, done}),
                                          Json::array({nullptr, done})})}}}}});
}

class PulsesTest : public testing::Test {
 protected:
  Json Next(const std::vector<LookedAtProcess>& processes) {
    now_ += 2s;
    return pulses_.Next(now_, processes, {"store"});
  }

  Pulses pulses_;
  Pulses::Clock::time_point now_ = Pulses::Clock::now();
};

TEST_F(PulsesTest, WhatAProcessDidBeforeItWasSeenIsNotCounted) {
  const Json pulse = Next({{1, "a:1", Report(100)}});
  EXPECT_EQ(pulse["commands"], Json::array());
  EXPECT_EQ(pulse["latency"]["p50"], nullptr);
  EXPECT_EQ(pulse["processes"][0]["answers"], true);
}

TEST_F(PulsesTest, ProcessesAreAddedUp) {
  Next({{1, "a:1", Report(100)}, {2, "a:2", Report(10)}});
  const Json pulse = Next({{1, "a:1", Report(130)}, {2, "a:2", Report(12)}});
  EXPECT_EQ(pulse["commands"][0]["count"], 32.0);
  EXPECT_EQ(pulse["retries"], 16.0);
  EXPECT_EQ(pulse["seconds"], 2.0);
}

TEST_F(PulsesTest, PercentilesAreOfWhatCameInBetween) {
  Next({{1, "a:1", Report(100)}});
  Json slow = Report(200);
  slow["latency"]["buckets"][0][1] = 100;  // The second hundred took between one and two ms.
  const Json pulse = Next({{1, "a:1", slow}});
  EXPECT_EQ(pulse["latency"]["count"], 100.0);
  EXPECT_THAT(pulse["latency"]["p50"].get<double>(), DoubleNear(0.0015, 1e-9));
  EXPECT_THAT(pulse["latency"]["p99"].get<double>(), DoubleNear(0.00199, 1e-9));
}

TEST_F(PulsesTest, AProcessThatDoesNotAnswerForAWhileLosesNothing) {
  Next({{1, "a:1", Report(100)}});
  const Json silent = Next({{1, "a:1", nullptr}});
  EXPECT_EQ(silent["commands"], Json::array());
  EXPECT_EQ(silent["processes"][0]["answers"], false);
  EXPECT_EQ(silent["processes"][0]["phase"], nullptr);
  EXPECT_EQ(Next({{1, "a:1", Report(150)}})["commands"][0]["count"], 50.0);
}

TEST_F(PulsesTest, AnotherProcessOfTheSameNumberStartsFromNothing) {
  Next({{1, "a:1", Report(100)}});
  Json other = Report(5);
  other["startedAt"] = "later";
  EXPECT_EQ(Next({{1, "a:1", other}})["commands"], Json::array());
}

TEST_F(PulsesTest, AServerIsAwayWhereOneProcessSaysSo) {
  Json report = Report(0);
  report["servers"] = Json::parse(R"([{"name": "store", "away": true, "reason": "refused"}])");
  const Json pulse = Next({{1, "a:1", Report(0)}, {2, "a:2", report}});
  EXPECT_EQ(pulse["servers"],
            Json::parse(R"([{"name": "store", "away": true, "reason": "refused"}])"));
}

}  // namespace
}  // namespace iq
