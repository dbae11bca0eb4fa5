// Which stretches of time a search of the journal asks for, and when it stops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/journal_search.h"
#include "host/store/store.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

// Has no rows, and remembers what it was asked for.
class EmptyTable final : public JournalTable {
 public:
  std::vector<JournalRecord> Search(const JournalFilter& /*filter*/, const JournalWindow& window,
                                    std::int64_t /*limit*/) override {
    if (asked.size() == fails_after) {
      throw StoreError(StoreError::Kind::kDeadline, "57014", "", "it took too long");
    }
    asked.push_back(window);
    return {};
  }

  void Check() override {}
  void Ask(std::span<const std::string> /*uuids*/) override {}
  std::vector<JournalRow> Answer() override { return {}; }
  void Insert(std::span<const NewJournalRow> /*rows*/, const std::string& /*worker*/,
              std::int64_t /*batch*/) override {}
  bool IsRepeat(const StoreError& /*error*/) const override { return false; }
  void NoteRepeats(std::span<const std::string> /*uuids*/) override {}
  void NoteProgress(const WorkerRow& /*worker*/, bool /*in_transaction*/) override {}
  std::optional<SilentWorker> ClaimSilentWorker(std::chrono::milliseconds /*silence*/) override {
    return std::nullopt;
  }
  std::vector<JournalRow> Unconfirmed(const SilentWorker& /*worker*/,
                                      const std::string& /*after_uuid*/,
                                      std::int64_t /*limit*/) override {
    return {};
  }
  void RemoveSilentWorker(const SilentWorker& /*worker*/) override {}
  void RemoveWorker(const std::string& /*id*/) override {}
  std::int64_t Prune(std::chrono::milliseconds /*keep*/, std::int64_t /*limit*/) override {
    return 0;
  }
  Extent Measure() override { return {}; }
  std::vector<std::string> RemoveRejected(std::span<const std::string> /*uuids*/) override {
    return {};
  }

  std::vector<JournalWindow> asked;
  std::optional<std::size_t> fails_after;
};

TEST(JournalWindows, FollowEachOtherBackToTheBeginning) {
  EmptyTable table;
  const JournalFound found = JournalReader(table, 60s).Search({.type = "income"});
  EXPECT_FALSE(found.next);
  ASSERT_GT(table.asked.size(), 2U);
  EXPECT_LT(table.asked.size(), 30U);
  for (std::size_t i = 1; i < table.asked.size(); ++i) {
    EXPECT_EQ(table.asked[i].before.at, table.asked[i - 1].from);
  }
  EXPECT_EQ(table.asked[1].before.at - table.asked[1].from, 2min);
  EXPECT_EQ(table.asked.back().from, JournalSearch::Time{});
}

TEST(JournalWindows, EndWhereTheSearchIsToEnd) {
  EmptyTable table;
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  JournalReader(table, 60s).Search({.since = now - 2min, .until = now});
  ASSERT_EQ(table.asked.size(), 2U);
  EXPECT_EQ(table.asked[0].before.at, now);
  EXPECT_EQ(table.asked[1].from, now - 2min);
}

TEST(JournalWindows, AnIdNeedsOne) {
  EmptyTable table;
  EXPECT_FALSE(JournalReader(table, 60s).Read("id"));
  ASSERT_EQ(table.asked.size(), 1U);
  EXPECT_EQ(table.asked[0].from, JournalSearch::Time{});
}

TEST(JournalWindows, AStretchThatTakesTooLongEndsTheSearchBeforeIt) {
  EmptyTable table;
  table.fails_after = 3;
  const JournalFound found = JournalReader(table, 60s).Search({.type = "income"});
  ASSERT_TRUE(found.searched_to);
  EXPECT_EQ(*found.searched_to, table.asked.back().from);
  ASSERT_TRUE(found.next);
  EXPECT_EQ(found.next->at, table.asked.back().from);
}

TEST(JournalWindows, WhereTheFirstTakesTooLongNothingWasSearched) {
  EmptyTable table;
  table.fails_after = 0;
  EXPECT_THROW(JournalReader(table, 60s).Search({.type = "income"}), StoreError);
}

TEST(JournalWindows, ACursorReadsAsItWasWritten) {
  const JournalPlace place{JournalSearch::Time{123'456'789us},
                           "00000000-0000-4000-8000-00000000000a"};
  const auto read = ReadCursor(CursorOf(place));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->at, place.at);
  EXPECT_EQ(read->uuid, place.uuid);
  for (const char* const other :
       {"", "_", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z_", "2026-01-31T12:00:00Z_1",
        "yesterday_00000000-0000-4000-8000-00000000000a",
        "2026-01-31T12:00:00Z_00000000-0000-4000-8000-00000000000A"}) {
    EXPECT_FALSE(ReadCursor(other)) << other;
  }
}

}  // namespace
}  // namespace iq
