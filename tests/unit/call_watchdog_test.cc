#include "host/call_watchdog.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include "host/flight_recorder.h"
#include "tests/support/eventually.h"
#include "tests/unit/noted_commands.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

class WatchdogTest : public testing::Test {
 protected:
  static constexpr auto kDeadline = 300ms;

  std::unique_ptr<Command> a_ = MakeCommand("a");
};

TEST_F(WatchdogTest, ACallThatComesBackLateIsOnlyWarnedOf) {
  testing::internal::CaptureStderr();
  {
    FlightRecorder recorder("/proc/no such place", {2, 1});
    CallWatchdog watchdog(recorder, kDeadline);
    const auto slot = recorder.Claim();
    for (const auto& [call, deadlines] :
         {std::pair(PluginCall::kHandle, 1.5), std::pair(PluginCall::kCreate, 4.0)}) {
      slot->Begin(call, "slow", "1.0.0", Commands{a_.get()});
      const auto end = std::chrono::steady_clock::now() +
                       std::chrono::duration_cast<std::chrono::milliseconds>(kDeadline * deadlines);
      (void)test::Eventually(10s, [&] { return std::chrono::steady_clock::now() >= end; });
      slot->End();
    }
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(Count(said,
                  "handle of slow/1.0.0 with message a has run for longer than "
                  "limits.deadline (300ms)"),
            1U)
      << said;
  EXPECT_EQ(Count(said, "create of slow/1.0.0"), 1U) << said;
}

TEST_F(WatchdogTest, ACallThatDoesNotComeBackEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto hang = [this] {
    FlightRecorder recorder("/proc/no such place", {1, 1});
    CallWatchdog watchdog(recorder, kDeadline);
    recorder.Claim()->Begin(PluginCall::kHandle, "slow", "1.0.0", Commands{a_.get()});
    pause();
  };
  EXPECT_EXIT(hang(), testing::KilledBySignal(SIGABRT),
              "handle of slow/1.0.0 with message a has run for longer than twice limits.deadline");
}

}  // namespace
}  // namespace iq
