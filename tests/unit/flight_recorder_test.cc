// The recorder's notes, and what others make of them when their process is dead.
#include "host/flight_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "host/base/rfc3339.h"
#include "host/base/uuid.h"
#include "host/call_watchdog.h"
#include "host/crash_log.h"
#include "host/suspects.h"
#include "tests/support/eventually.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using Commands = std::vector<const Command*>;

std::unique_ptr<Command> MakeCommand(const std::string& id, std::uint32_t first_event_index = 0) {
  auto command = std::make_unique<Command>(Payload::Parse("{}"));
  command->id = id;
  command->has_id = true;
  command->uuid = UuidOfMessageId(id);
  command->first_event_index = first_event_index;
  return command;
}

std::vector<std::string> Ids(const Note& note) {
  std::vector<std::string> ids;
  for (const NotedCommand& command : note.commands) ids.push_back(command.id);
  return ids;
}

std::size_t Count(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

void Ignore(const std::string& /*plugin*/, const std::string& /*death*/) {}

class SlotTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kRoom = 3;

  SlotTest() : memory_(FlightSlot::Bytes(kRoom) / sizeof(std::uint64_t)) {}
  std::byte* memory() { return reinterpret_cast<std::byte*>(memory_.data()); }
  void Begin(const Commands& commands) {
    slot_.Begin(PluginCall::kHandle, "income", "1.0.0", commands);
  }

  std::vector<std::uint64_t> memory_;
  FlightSlot slot_{memory(), kRoom};
  std::unique_ptr<Command> a_ = MakeCommand("a");
  std::unique_ptr<Command> b_ = MakeCommand("b");
};

TEST_F(SlotTest, ANoteIsThereForAsLongAsItsCall) {
  EXPECT_EQ(slot_.Read().number, 0U);
  Begin({a_.get(), b_.get()});
  const Note note = slot_.Read();
  EXPECT_EQ(note.number, 1U);
  EXPECT_EQ(note.call, PluginCall::kHandle);
  EXPECT_EQ(note.plugin, "income/1.0.0");
  EXPECT_THAT(Ids(note), ElementsAre("a", "b"));
  EXPECT_EQ(note.commands[1].identity, CrashIdentity(*b_));
  EXPECT_EQ(Describe(note), "handle of income/1.0.0 with messages a, b");
  slot_.End();
  EXPECT_EQ(slot_.Read().number, 0U);
  Begin({b_.get()});
  EXPECT_EQ(slot_.Read().number, 2U);
  EXPECT_THAT(Ids(slot_.Read()), ElementsAre("b"));
}

TEST_F(SlotTest, WhatIsTooLongIsCutAndWhatIsTooManyIsLeftOut) {
  const auto lengthy = MakeCommand(std::string(255, 'x'));
  slot_.Begin(PluginCall::kHandleBatch, std::string(64, 'p'), std::string(1000, 'v'),
              Commands{lengthy.get(), a_.get(), b_.get(), a_.get()});
  const Note note = slot_.Read();
  EXPECT_THAT(note.plugin, HasSubstr("ppp/vvv"));
  ASSERT_THAT(note.commands, SizeIs(kRoom));
  EXPECT_EQ(note.commands[0].id, std::string(56, 'x'));
  EXPECT_EQ(note.commands[0].identity, CrashIdentity(*lengthy));
}

TEST_F(SlotTest, WithoutAnIdTheBodyTells) {
  const auto command = MakeCommand("made up");
  command->has_id = false;
  command->payload_hash = std::string(64, 'f');
  Begin({command.get()});
  ASSERT_THAT(slot_.Read().commands, SizeIs(1));
  EXPECT_EQ(slot_.Read().commands[0].identity, std::string(64, 'f') + ".0");
  EXPECT_EQ(slot_.Read().commands[0].id, "");
}

TEST_F(SlotTest, ACommandJudgedAnewIsAnotherOne) {
  EXPECT_NE(CrashIdentity(*a_), CrashIdentity(*MakeCommand("a", 1)));
}

// Killed between the first byte and the call number, which is written last.
TEST_F(SlotTest, ANoteWithoutItsNumberIsNone) {
  Begin({a_.get()});
  std::memset(memory(), 0, sizeof(std::uint64_t));
  EXPECT_EQ(FlightSlot(memory(), kRoom).Read().number, 0U);
}

TEST_F(SlotTest, NoBytesWhateverAreReadBeyondTheirRoomOrAsAPath) {
  Begin({a_.get(), b_.get()});
  const std::vector<std::uint64_t> good = memory_;
  for (std::size_t at = 0; at < FlightSlot::Bytes(kRoom); ++at) {
    for (const int byte : {0xFF, 0x2F, 0x00}) {
      memory_ = good;
      std::memset(memory() + at, byte, 1);
      for (const NotedCommand& command : FlightSlot(memory(), kRoom).Read().commands) {
        EXPECT_EQ(command.identity.find('/'), std::string::npos) << at;
      }
    }
  }
}

// A reader sees whole notes or none, whatever the writer is doing.
TEST_F(SlotTest, AReaderNeverSeesHalfANote) {
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop) {
      Begin({a_.get(), a_.get(), a_.get()});
      slot_.End();
      Begin({b_.get(), b_.get(), b_.get()});
      slot_.End();
    }
  });
  std::size_t seen = 0;
  for (int i = 0; i < 200'000 || seen == 0; ++i) {
    const Note note = slot_.Read();
    if (note.number == 0) continue;
    ++seen;
    const std::vector<std::string> whole(3, note.number % 2 == 1 ? "a" : "b");
    EXPECT_EQ(Ids(note), whole) << note.number;
    if (HasFailure()) break;
  }
  stop = true;
  writer.join();
}

class FolderTest : public testing::Test {
 protected:
  FolderTest() {
    std::string pattern = "/tmp/iq-flight-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~FolderTest() override { std::filesystem::remove_all(folder_); }

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

TEST_F(FolderTest, ADeadProcessLeavesSuspicionsAndNothingElse) {
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

TEST_F(FolderTest, APluginIsToldOfTheDeathsInItsHandsAlone) {
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

TEST_F(FolderTest, TheSecondDeathConvictsWhoWasAlone) {
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

TEST_F(FolderTest, TheFirstDeathCountsWhereItWasAlreadyAlone) {
  DieIn({{a_.get()}});
  TakeOver();
  EXPECT_FALSE(Suspects(folder_, Ignore).Find(*a_)->convicted());
  DieIn({{a_.get()}});
  TakeOver();
  EXPECT_TRUE(Suspects(folder_, Ignore).Find(*a_)->convicted());
}

TEST_F(FolderTest, NobodyIsConvictedInTheCompanyOfAnotherWorkersCommand) {
  for (int death = 0; death < 3; ++death) {
    DieIn({{a_.get()}, {b_.get()}});
    TakeOver();
  }
  EXPECT_EQ(DeathsOf(*a_), 3U);
  EXPECT_FALSE(Suspects(folder_, Ignore).Find(*a_)->convicted());
}

TEST_F(FolderTest, OfManyWhoLookAtOnceEachDeathCountsOnce) {
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
TEST_F(FolderTest, ATakeOverThatWasCutShortCountsNothingTwice) {
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

TEST_F(FolderTest, CrashesAreRememberedInTheirOrder) {
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

TEST_F(FolderTest, OfCrashesTheLastHundredAreKeptEachOnce) {
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

TEST_F(FolderTest, OthersLearnOfNewSuspicionsAndOfTheirEnd) {
  Suspects early(folder_, Ignore);
  EXPECT_FALSE(early.Find(*a_).has_value());
  DieIn({{a_.get()}});
  TakeOver();
  EXPECT_TRUE(early.Find(*a_).has_value());
  Suspects(folder_, Ignore).Remove(CrashIdentity(*a_));
  EXPECT_FALSE(early.Find(*a_).has_value());
  EXPECT_THAT(Files(".suspect"), IsEmpty());
}

TEST_F(FolderTest, TheLivingAreLeftAlone) {
  FlightRecorder recorder(folder_, {1, 1});
  recorder.Claim()->Begin(PluginCall::kHandle, "crash", "1.0.0", Commands{a_.get()});
  EXPECT_EQ(TakeOver(), "");
  EXPECT_EQ(DeathsOf(*a_), 0U);
  EXPECT_THAT(Files(".recorder"), SizeIs(1));
}

TEST_F(FolderTest, AnEndInOrderLeavesNothing) {
  { const FlightRecorder recorder(folder_, {1, 1}); }
  EXPECT_THAT(Files(".recorder"), IsEmpty());
  EXPECT_EQ(TakeOver(), "");
}

TEST_F(FolderTest, ADeathOutsideOfCallsIsHeldAgainstNobody) {
  DieIn({});
  EXPECT_THAT(TakeOver(), HasSubstr("in no plugin's hands"));
  EXPECT_THAT(Files(".suspect"), IsEmpty());
  EXPECT_THAT(Files(".recorder"), IsEmpty());
}

TEST_F(FolderTest, AnEndByForceWhileStoppingIsHeldAgainstNobody) {
  DieIn({{a_.get()}}, /*stopping=*/true);
  EXPECT_THAT(TakeOver(), HasSubstr("held against nobody"));
  EXPECT_THAT(Files(".suspect"), IsEmpty());
  EXPECT_THAT(Files(".recorder"), IsEmpty());
}

TEST_F(FolderTest, WhatIsNoRecorderIsRemovedAndAccusesNobody) {
  DieIn({{a_.get()}});
  const auto recorder = Files(".recorder").at(0);
  std::filesystem::resize_file(recorder, 200);
  EXPECT_EQ(TakeOver(), "");
  std::ofstream(folder_ + "/00000000000000ff.recorder") << "a shopping list";
  EXPECT_EQ(TakeOver(), "");
  EXPECT_THAT(Files(".recorder"), IsEmpty());
  EXPECT_EQ(DeathsOf(*a_), 0U);
}

TEST_F(FolderTest, ItWaitsForAProcessThatIsAboutToDieButNotForever) {
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
TEST_F(FolderTest, ADecidedCommandKeepsItsSuspicionForAWhile) {
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

TEST_F(FolderTest, WhatIsLeftOfSuspicionsIsPruned) {
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

TEST_F(FolderTest, AFolderThatCannotBeWrittenIsOneWarning) {
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

class WatchdogTest : public SlotTest {
 protected:
  static constexpr auto kDeadline = 100ms;
};

TEST(FlightRecorder, ASlotThatIsGivenBackIsFreeAgain) {
  FlightRecorder recorder("/proc/no such place", {2, 1});
  const auto first = recorder.Claim();
  auto second = recorder.Claim();
  EXPECT_NE(first, second);
  EXPECT_EQ(recorder.Claim(), nullptr);
  FlightSlot* const was = second.get();
  second.reset();
  EXPECT_EQ(recorder.Claim().get(), was);
}

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
                  "limits.deadline (100ms)"),
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

TEST(RunGate, WhoWantsToBeAloneIsAlone) {
  RunGate gate;
  std::atomic<int> inside{0};
  std::atomic<bool> alone{false};
  std::atomic<int> wrong{0};
  std::atomic<int> times_alone{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 2000; ++round) {
        const bool wants_alone = i == 0 || (i == 1 && round % 2 == 0);
        const RunGate::Pass pass(
            gate, wants_alone ? RunGate::Company::kAlone : RunGate::Company::kOthers);
        const int others = inside++;
        if (wants_alone ? others != 0 : alone.load()) ++wrong;
        if (wants_alone) {
          alone = true;
          ++times_alone;
          std::this_thread::yield();
          if (inside != 1) ++wrong;
          alone = false;
        }
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(times_alone, 3000);
}

}  // namespace
}  // namespace iq
