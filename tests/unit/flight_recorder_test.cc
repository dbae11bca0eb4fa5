// What a slot says of a call.
#include "host/flight_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/unit/noted_commands.h"

namespace iq {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

std::vector<std::string> Ids(const Note& note) {
  std::vector<std::string> ids;
  for (const NotedCommand& command : note.commands) ids.push_back(command.id);
  return ids;
}

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

}  // namespace
}  // namespace iq
