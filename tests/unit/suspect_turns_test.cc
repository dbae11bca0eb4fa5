#include "host/suspect_turns.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "host/base/temporary_directory.h"
#include "host/flight_recorder.h"
#include "tests/unit/noted_commands.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using enum SuspectTurns::Step;

class SuspectTurnsTest : public testing::Test {
 protected:
  bool IsSuspected(const Command& command) const {
    return std::filesystem::exists(folder_.path() / (CrashIdentity(command) + ".suspect"));
  }

  // Both want to run.
  SuspectTurns::Step Next(bool all_settled) { return turns_.Next(true, true, all_settled, now_); }

  const TemporaryDirectory folder_{"suspects"};
  Suspects suspects_{folder_.path().string(),
                     [](const std::string& /*plugin*/, const std::string& /*death*/) {}};
  SuspectTurns turns_{suspects_};
  SuspectTurns::Clock::time_point now_{1h};
  std::unique_ptr<Command> suspect_ = MakeCommand("suspect");
};

TEST_F(SuspectTurnsTest, ASuspectAndOthersTakeTurns) {
  EXPECT_EQ(Next(true), kSuspect);
  EXPECT_EQ(Next(true), kOthers);
  EXPECT_EQ(Next(true), kSuspect);
  EXPECT_EQ(turns_.Next(true, false, true, now_), kSuspect) << "nobody else waits";
  EXPECT_EQ(turns_.Next(false, true, true, now_), kOthers);
}

TEST_F(SuspectTurnsTest, EverythingIsSettledBeforeASuspectRunsUnlessThatTakesLong) {
  EXPECT_EQ(Next(false), kSettle);
  now_ += 1s;
  EXPECT_EQ(Next(false), kSettle);
  now_ += 1ms;
  EXPECT_EQ(Next(false), kOthers);
  EXPECT_EQ(Next(false), kSettle) << "it is waited for anew";
  EXPECT_EQ(Next(true), kSuspect);
  EXPECT_EQ(Next(true), kOthers);
  now_ += 10s;
  EXPECT_EQ(Next(false), kSettle) << "and again for the next one";
}

TEST_F(SuspectTurnsTest, ASuspectAloneWaitsForAsLongAsItTakes) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(turns_.Next(true, false, false, now_), kSettle);
    now_ += 10s;
  }
}

TEST_F(SuspectTurnsTest, OthersDoNotWaitWhereNobodyIsSuspected) {
  EXPECT_EQ(turns_.Next(false, true, false, now_), kOthers);
}

TEST_F(SuspectTurnsTest, ADecidedSuspectIsSettledBeforeOthersRun) {
  turns_.NoteDecided(*suspect_);
  turns_.Tidy(false, now_);
  EXPECT_EQ(turns_.Next(false, false, false, now_), kSettle);
  EXPECT_EQ(turns_.Next(false, true, false, now_), kSettle);
  EXPECT_EQ(turns_.Next(false, true, false, now_ + 2s), kOthers) << "unless that takes long";
  EXPECT_EQ(turns_.Next(false, true, false, now_ + 2s), kSettle);
  turns_.Tidy(true, now_);
  EXPECT_EQ(turns_.Next(false, true, false, now_), kOthers);
}

TEST_F(SuspectTurnsTest, ASuspicionOutlivesItsAckByTwoSeconds) {
  turns_.NoteDecided(*suspect_);
  turns_.Tidy(false, now_);
  now_ += 10s;
  turns_.Tidy(true, now_);
  now_ += 1999ms;
  turns_.Tidy(true, now_);
  EXPECT_TRUE(IsSuspected(*suspect_));
  now_ += 1ms;
  turns_.Tidy(true, now_);
  EXPECT_FALSE(IsSuspected(*suspect_));
}

}  // namespace
}  // namespace iq
