// What others make of a recorder's notes when its process is dead: suspicions, and the log of
// crashes.
#include "host/suspects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "host/base/rfc3339.h"
#include "host/crash_log.h"
#include "host/flight_recorder.h"
#include "tests/support/eventually.h"
#include "tests/unit/noted_commands.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

void Ignore(const std::string& /*plugin*/, const std::string& /*death*/) {}

class SuspectsTest : public testing::Test {
 protected:
  SuspectsTest() {
    std::string pattern = "/tmp/iq-flight-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~SuspectsTest() override { std::filesystem::remove_all(folder_); }

  // A process that is killed while each of `calls` is in a worker's hands.
  void DieIn(const std::vector<Commands>& calls, bool stopping = false) const {
    const pid_t child = fork();
    if (child == 0) {
      FlightRecorder recorder(folder_, {4, 8});
      std::vector<std::shared_ptr<FlightSlot>> slots;
      for (const Commands& commands : calls) {
        slots.push_back(recorder.Claim());
        slots.back()->Begin(PluginCall::kHandle, "crash", "1.0.0", commands);
      }
      if (stopping) recorder.NoteStopping();
      kill(getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
  }

  std::vector<std::filesystem::path> Files(const std::string& extension) const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == extension) files.push_back(entry.path());
    }
    return files;
  }

  std::uint32_t DeathsOf(const Command& command) const {
    const auto suspicion = Suspects(folder_, Ignore).Find(command);
    return suspicion ? suspicion->deaths : 0;
  }

  // What is logged meanwhile.
  std::string TakeOver() const {
    testing::internal::CaptureStderr();
    Suspects(folder_, Ignore).TakeOver();
    return testing::internal::GetCapturedStderr();
  }

  std::string folder_;
  std::unique_ptr<Command> a_ = MakeCommand("a");
  std::unique_ptr<Command> b_ = MakeCommand("b");
  std::unique_ptr<Command> c_ = MakeCommand("c");
};

TEST_F(SuspectsTest, ADeadProcessLeavesSuspicionsAndNothingElse) {
  DieIn({{a_.get(), b_.get()}});
  ASSERT_THAT(Files(".recorder"), SizeIs(1));
  const std::string said = TakeOver();
  EXPECT_THAT(said, HasSubstr("error"));
  EXPECT_THAT(said, HasSubstr("died in handle of crash/1.0.0 with messages a, b"));
  EXPECT_EQ(Count(said, "\n"), 1U);
  EXPECT_THAT(Files(".recorder"), IsEmpty());
  Suspects suspects(folder_, Ignore);
  const auto suspicion = suspects.Find(*a_);
  ASSERT_TRUE(suspicion.has_value());
  EXPECT_EQ(suspicion->deaths, 1U);
  EXPECT_FALSE(suspicion->alone);
  EXPECT_EQ(suspicion->call, "handle");
  EXPECT_EQ(suspicion->plugin, "crash/1.0.0");
  EXPECT_EQ(DeathsOf(*b_), 1U);
  EXPECT_FALSE(suspects.Find(*c_).has_value());
  EXPECT_FALSE(suspects.Find(*MakeCommand("a", 1)).has_value()) << "that one is judged anew";
}

TEST_F(SuspectsTest, APluginIsToldOfTheDeathsInItsHandsAlone) {
  std::vector<std::string> plugins;
  const auto note = [&](const std::string& plugin, const std::string& /*death*/) {
    plugins.push_back(plugin);
  };
  DieIn({{a_.get()}, {b_.get()}});
  Suspects(folder_, note).TakeOver();
  EXPECT_THAT(plugins, ElementsAre("crash/1.0.0"));
  DieIn({});
  Suspects(folder_, note).TakeOver();
  EXPECT_THAT(plugins, SizeIs(1));
}

TEST_F(SuspectsTest, TheSecondDeathConvictsWhoWasAlone) {
  DieIn({{a_.get(), b_.get()}});
  TakeOver();
  DieIn({{a_.get()}});
  TakeOver();
  const auto suspicion = Suspects(folder_, Ignore).Find(*a_);
  ASSERT_TRUE(suspicion.has_value());
  EXPECT_EQ(suspicion->deaths, 2U);
  EXPECT_TRUE(suspicion->convicted());
  EXPECT_FALSE(Suspects(folder_, Ignore).Find(*b_)->convicted());
}

TEST_F(SuspectsTest, TheFirstDeathCountsWhereItWasAlreadyAlone) {
  DieIn({{a_.get()}});
  TakeOver();
  EXPECT_FALSE(Suspects(folder_, Ignore).Find(*a_)->convicted());
  DieIn({{a_.get()}});
  TakeOver();
  EXPECT_TRUE(Suspects(folder_, Ignore).Find(*a_)->convicted());
}

TEST_F(SuspectsTest, NobodyIsConvictedInTheCompanyOfAnotherWorkersCommand) {
  for (int death = 0; death < 3; ++death) {
    DieIn({{a_.get()}, {b_.get()}});
    TakeOver();
  }
  EXPECT_EQ(DeathsOf(*a_), 3U);
  EXPECT_FALSE(Suspects(folder_, Ignore).Find(*a_)->convicted());
}

TEST_F(SuspectsTest, OfManyWhoLookAtOnceEachDeathCountsOnce) {
  constexpr int kDeaths = 5;
  for (int i = 0; i < kDeaths; ++i) DieIn({{a_.get(), b_.get()}});
  testing::internal::CaptureStderr();
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 10; ++i) {
    threads.emplace_back([&] {
      Suspects suspects(folder_, Ignore);
      suspects.TakeOver();
      // Whoever comes second waits for the first, and knows what it has found.
      const auto suspicion = suspects.Find(*a_);
      if (suspicion && suspicion->deaths == kDeaths) ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Count(testing::internal::GetCapturedStderr(), "died in"), std::size_t{kDeaths});
  EXPECT_EQ(right, 10);
  EXPECT_EQ(DeathsOf(*b_), std::uint32_t{kDeaths});
}

// Killed after the suspicions are written and before the recorder is removed.
TEST_F(SuspectsTest, ATakeOverThatWasCutShortCountsNothingTwice) {
  DieIn({{a_.get()}});
  const auto recorder = Files(".recorder").at(0);
  const std::string kept = folder_ + "/kept";
  std::filesystem::copy_file(recorder, kept);
  TakeOver();
  std::filesystem::rename(kept, recorder);
  TakeOver();
  EXPECT_EQ(DeathsOf(*a_), 1U);
  EXPECT_THAT(ReadCrashes(folder_), SizeIs(1));
  EXPECT_THAT(Files(".recorder"), IsEmpty());
}

TEST_F(SuspectsTest, CrashesAreRememberedInTheirOrder) {
  EXPECT_THAT(ReadCrashes(folder_), IsEmpty());
  DieIn({{a_.get(), b_.get()}});
  TakeOver();
  DieIn({{c_.get()}});
  TakeOver();
  DieIn({});
  DieIn({{c_.get()}}, /*stopping=*/true);
  TakeOver();
  const std::vector<Crash> crashes = ReadCrashes(folder_);
  ASSERT_THAT(crashes, SizeIs(2)) << "in no plugin's hands, and by force";
  EXPECT_GT(crashes[0].pid, 0U);
  EXPECT_TRUE(ParseRfc3339(crashes[0].at)) << crashes[0].at;
  ASSERT_THAT(crashes[0].calls, SizeIs(1));
  EXPECT_EQ(crashes[0].calls[0].plugin, "crash/1.0.0");
  EXPECT_EQ(crashes[0].calls[0].commands, 2U);
  EXPECT_THAT(crashes[0].calls[0].ids, ElementsAre(a_->id, b_->id));
  ASSERT_THAT(crashes[1].calls, SizeIs(1));
  EXPECT_THAT(crashes[1].calls[0].ids, ElementsAre(c_->id));
}

TEST_F(SuspectsTest, OfCrashesTheLastHundredAreKeptEachOnce) {
  constexpr std::size_t kKept = 100;
  const Recording recording{.pid = 7,
                            .of_this_boot = true,
                            .notes = {{.number = 1,
                                       .call = PluginCall::kHandle,
                                       .plugin = "crash/1.0.0 \xff\"",
                                       .commands = {}}}};
  for (std::size_t i = 0; i < kKept + 2; ++i) NoteCrash(folder_, std::to_string(i), recording);
  NoteCrash(folder_, std::to_string(kKept), recording);
  std::ofstream(folder_ + "/crashes", std::ios::app) << "a shopping list\n{}\n";
  const std::vector<Crash> crashes = ReadCrashes(folder_);
  ASSERT_THAT(crashes, SizeIs(kKept));
  EXPECT_EQ(crashes.front().recorder, "2");
  EXPECT_EQ(crashes.back().recorder, std::to_string(kKept + 1));
}

TEST_F(SuspectsTest, OthersLearnOfNewSuspicionsAndOfTheirEnd) {
  Suspects early(folder_, Ignore);
  EXPECT_FALSE(early.Find(*a_).has_value());
  DieIn({{a_.get()}});
  TakeOver();
  EXPECT_TRUE(early.Find(*a_).has_value());
  Suspects(folder_, Ignore).Remove(CrashIdentity(*a_));
  EXPECT_FALSE(early.Find(*a_).has_value());
  EXPECT_THAT(Files(".suspect"), IsEmpty());
}

TEST_F(SuspectsTest, TheLivingAreLeftAlone) {
  FlightRecorder recorder(folder_, {1, 1});
  recorder.Claim()->Begin(PluginCall::kHandle, "crash", "1.0.0", Commands{a_.get()});
  EXPECT_EQ(TakeOver(), "");
  EXPECT_EQ(DeathsOf(*a_), 0U);
  EXPECT_THAT(Files(".recorder"), SizeIs(1));
}

TEST_F(SuspectsTest, AnEndInOrderLeavesNothing) {
  { const FlightRecorder recorder(folder_, {1, 1}); }
  EXPECT_THAT(Files(".recorder"), IsEmpty());
  EXPECT_EQ(TakeOver(), "");
}

TEST_F(SuspectsTest, ADeathOutsideOfCallsIsHeldAgainstNobody) {
  DieIn({});
  EXPECT_THAT(TakeOver(), HasSubstr("in no plugin's hands"));
  EXPECT_THAT(Files(".suspect"), IsEmpty());
  EXPECT_THAT(Files(".recorder"), IsEmpty());
}

TEST_F(SuspectsTest, AnEndByForceWhileStoppingIsHeldAgainstNobody) {
  DieIn({{a_.get()}}, /*stopping=*/true);
  EXPECT_THAT(TakeOver(), HasSubstr("held against nobody"));
  EXPECT_THAT(Files(".suspect"), IsEmpty());
  EXPECT_THAT(Files(".recorder"), IsEmpty());
}

TEST_F(SuspectsTest, WhatIsNoRecorderIsRemovedAndAccusesNobody) {
  DieIn({{a_.get()}});
  const auto recorder = Files(".recorder").at(0);
  std::filesystem::resize_file(recorder, 200);
  EXPECT_EQ(TakeOver(), "");
  std::ofstream(folder_ + "/00000000000000ff.recorder") << "a shopping list";
  EXPECT_EQ(TakeOver(), "");
  EXPECT_THAT(Files(".recorder"), IsEmpty());
  EXPECT_EQ(DeathsOf(*a_), 0U);
}

TEST_F(SuspectsTest, ItWaitsForAProcessThatIsAboutToDieButNotForever) {
  const pid_t child = fork();
  if (child == 0) {
    FlightRecorder recorder(folder_, {1, 1});
    recorder.Claim()->Begin(PluginCall::kHandle, "crash", "1.0.0", Commands{a_.get()});
    pause();
  }
  ASSERT_TRUE(test::Eventually(10s, [&] {
    return Files(".recorder").size() == 1 && ReadRecorder(Files(".recorder")[0]) &&
           ReadRecorder(Files(".recorder")[0])->notes.size() == 1;
  }));
  Suspects suspects(folder_, Ignore);
  suspects.TakeOver();
  const auto began = std::chrono::steady_clock::now();
  suspects.AwaitOthers(*b_);
  EXPECT_LT(std::chrono::steady_clock::now() - began, Suspects::kPatience / 2);
  suspects.AwaitOthers(*a_);
  EXPECT_GE(std::chrono::steady_clock::now() - began, Suspects::kPatience / 2);
  EXPECT_EQ(DeathsOf(*a_), 0U) << "it lives";

  suspects.TakeOver();
  std::thread killer([child] { kill(child, SIGKILL); });
  suspects.AwaitOthers(*a_);
  killer.join();
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(DeathsOf(*a_), 1U);
}

// The command may come again, when its ack was lost with its process.
TEST_F(SuspectsTest, ADecidedCommandKeepsItsSuspicionForAWhile) {
  for (int death = 0; death < 2; ++death) {
    DieIn({{a_.get()}});
    TakeOver();
  }
  Suspects suspects(folder_, Ignore);
  EXPECT_FALSE(suspects.Find(*a_)->decided);
  suspects.MarkDecided(CrashIdentity(*a_));
  suspects.Prune();
  EXPECT_TRUE(Suspects(folder_, Ignore).Find(*a_)->decided);
  EXPECT_TRUE(suspects.Find(*a_)->convicted());
}

TEST_F(SuspectsTest, WhatIsLeftOfSuspicionsIsPruned) {
  DieIn({{a_.get(), b_.get(), c_.get()}});
  TakeOver();
  const auto age = [&](const Command& command, std::chrono::minutes minutes) {
    std::filesystem::last_write_time(folder_ + "/" + CrashIdentity(command) + ".suspect",
                                     std::filesystem::file_time_type::clock::now() - minutes);
  };
  Suspects(folder_, Ignore).MarkDecided(CrashIdentity(*a_));
  age(*a_, 11min);
  age(*b_, 24h * 6);
  age(*c_, 24h * 8);
  Suspects(folder_, Ignore).Prune();
  EXPECT_EQ(DeathsOf(*a_), 0U);
  EXPECT_EQ(DeathsOf(*b_), 1U);
  EXPECT_EQ(DeathsOf(*c_), 0U);
}

TEST_F(SuspectsTest, AFolderThatCannotBeWrittenIsOneWarning) {
  const std::string in_the_way = folder_ + "/file";
  std::ofstream(in_the_way) << "x";
  testing::internal::CaptureStderr();
  FlightRecorder recorder(in_the_way, {1, 1});
  Suspects suspects(recorder.folder(), Ignore);
  suspects.TakeOver();
  recorder.slots()[0].Begin(PluginCall::kHandle, "crash", "1.0.0", Commands{a_.get()});
  EXPECT_FALSE(suspects.Find(*a_).has_value());
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(Count(said, "\n"), 1U) << said;
  EXPECT_THAT(said, HasSubstr("plugins.flight_recorder: " + in_the_way));
  EXPECT_EQ(recorder.slots()[0].Read().number, 1U) << "the watchdog still needs it";
}

}  // namespace
}  // namespace iq
