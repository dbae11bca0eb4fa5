// Searches of the journal on both stores: what is found, in which order, and that pages of it lose
// and repeat nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/base/rfc3339.h"
#include "host/base/uuid.h"
#include "host/journal_search.h"
#include "host/migrations.h"
#include "tests/integration/store_under_test.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using Time = JournalSearch::Time;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

std::string Id(int number) { return fmt::format("id {}", number); }
std::string Uuid(int number) { return UuidOfMessageId(Id(number)); }

NewJournalRow Row(int number) {
  NewJournalRow row;
  row.uuid = Uuid(number);
  row.command_id = Id(number);
  row.type = "income";
  row.outcome = "done";
  row.events = "[]";
  row.payload_hash = "00ff";
  row.plugin = "income/1.0.0";
  row.attempts = 1;
  row.keys = {"user:2"};
  return row;
}

std::vector<std::string> Uuids(const std::vector<JournalRecord>& records) {
  std::vector<std::string> uuids;
  for (const JournalRecord& record : records) uuids.push_back(record.uuid);
  return uuids;
}

class JournalSearches : public testing::TestWithParam<StoreKind> {
 protected:
  JournalSearches() {
    Apply(*session_, std::filesystem::path(IQ_SOURCE_DIR) / "sql", database_.store().dialect(),
          [](const Migration&) {});
  }

  void Add(const NewJournalRow& row, Time at) {
    session_->Begin();
    session_->journal().Insert({{row}}, Uuid(900), 1);
    session_->Commit();
    database_.Exec(fmt::format("UPDATE {} SET committed_at = '{}' WHERE message_id = '{}'",
                               database_.Own("journal"), Rfc3339(at), row.uuid));
    places_.emplace_back(at, row.uuid);
  }
  void Add(const NewJournalRow& row) { Add(row, now_); }

  JournalFound Search(const JournalSearch& search, std::chrono::milliseconds patience = 60s) {
    return JournalReader(session_->journal(), patience).Search(search);
  }
  std::vector<std::string> Found(const JournalSearch& search) {
    return Uuids(Search(search).records);
  }

  // All pages of a search, one after the other.
  std::vector<std::string> Pages(JournalSearch search, std::chrono::milliseconds patience = 60s) {
    constexpr int kPagesMax = 1000;
    std::vector<std::string> all;
    for (int page = 0; page < kPagesMax; ++page) {
      const JournalFound found = Search(search, patience);
      for (const JournalRecord& record : found.records) all.push_back(record.uuid);
      if (!found.next) return all;
      search.before = ReadCursor(CursorOf(*found.next));
    }
    ADD_FAILURE() << "there is no end of pages";
    return all;
  }

  // Everything that was added, in the order in which it is to be shown.
  std::vector<std::string> AllInOrder() {
    std::sort(places_.begin(), places_.end(), std::greater<>());
    std::vector<std::string> uuids;
    for (const auto& [at, uuid] : places_) uuids.push_back(uuid);
    return uuids;
  }

  StoreUnderTest& database() { return database_; }
  Session& session() { return *session_; }
  Time now() const { return now_; }

 private:
  StoreUnderTest database_{GetParam()};
  std::unique_ptr<Session> session_ = database_.Open();
  Time now_ = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  std::vector<std::pair<Time, std::string>> places_;
};

INSTANTIATE_TEST_SUITE_P(Stores, JournalSearches, kBothStores, NameOf);

TEST_P(JournalSearches, ARowIsShownAsItWasWritten) {
  NewJournalRow full = Row(1);
  full.outcome = "rejected";
  full.code = "insufficient_funds";
  full.reason = "why \\ not";
  full.events = R"([{"id": "e"}])";
  full.correlation_id = "c";
  full.traceparent = "t";
  full.attempts = 3;
  full.keys = {"user:2", "a, \"b\" \\ {c} 'ü", "NULL", "line\nend\x1F", " "};
  Add(full);
  const auto record = JournalReader(session().journal()).Read(Id(1));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->uuid, full.uuid);
  EXPECT_EQ(record->command_id, full.command_id);
  EXPECT_EQ(record->outcome, full.outcome);
  EXPECT_EQ(record->code, full.code);
  EXPECT_EQ(record->reason, full.reason);
  EXPECT_EQ(record->events, full.events);
  EXPECT_EQ(record->payload_hash, full.payload_hash);
  EXPECT_EQ(record->correlation_id, full.correlation_id);
  EXPECT_EQ(record->traceparent, full.traceparent);
  EXPECT_EQ(record->type, full.type);
  EXPECT_EQ(record->plugin, full.plugin);
  EXPECT_EQ(record->attempts, full.attempts);
  EXPECT_EQ(record->committed_at, Rfc3339(now()));
  EXPECT_EQ(nlohmann::json::parse(record->keys).get<std::vector<std::string>>(), full.keys);
  for (const std::string& key : full.keys) {
    EXPECT_THAT(Found({.key = key}), ElementsAre(full.uuid)) << key;
  }
}

TEST_P(JournalSearches, NoKeysAreToldFromUnknownOnes) {
  NewJournalRow without = Row(1);
  without.keys.clear();
  Add(without);
  Add(Row(2));
  database().Exec(fmt::format("UPDATE {} SET keys = NULL WHERE message_id = '{}'",
                              database().Own("journal"), Uuid(2)));
  JournalReader reader(session().journal());
  EXPECT_EQ(reader.Read(Id(1)).value().keys, "[]");
  EXPECT_EQ(reader.Read(Id(2)).value().keys, "");
  EXPECT_THAT(Found({.key = "user:2"}), IsEmpty());
}

TEST_P(JournalSearches, EveryFilterMustLetARowPass) {
  NewJournalRow rejected = Row(1);
  rejected.outcome = "rejected";
  NewJournalRow transfer = Row(2);
  transfer.type = "transfer";
  transfer.keys = {"user:2", "user:3"};
  Add(rejected, now() - 1min);
  Add(transfer, now() - 2min);
  Add(Row(3), now() - 3min);
  EXPECT_THAT(Found({}), ElementsAre(Uuid(1), Uuid(2), Uuid(3)));
  EXPECT_THAT(Found({.key = "user:2"}), ElementsAre(Uuid(1), Uuid(2), Uuid(3)));
  EXPECT_THAT(Found({.key = "user:3"}), ElementsAre(Uuid(2)));
  EXPECT_THAT(Found({.type = "income"}), ElementsAre(Uuid(1), Uuid(3)));
  EXPECT_THAT(Found({.outcome = "rejected"}), ElementsAre(Uuid(1)));
  EXPECT_THAT(Found({.outcome = "done"}), ElementsAre(Uuid(2), Uuid(3)));
  EXPECT_THAT(Found({.outcome = "neither"}), IsEmpty());
  EXPECT_THAT(Found({.key = "user:2", .type = "income", .outcome = "done"}), ElementsAre(Uuid(3)));
  EXPECT_THAT(Found({.key = "user:3", .type = "income"}), IsEmpty());
  EXPECT_THAT(Found({.type = "transfer", .outcome = "rejected"}), IsEmpty());
  EXPECT_THAT(Found({.id = Id(2), .key = "user:3", .type = "transfer", .outcome = "done"}),
              ElementsAre(Uuid(2)));
  EXPECT_THAT(Found({.id = Id(2), .outcome = "rejected"}), IsEmpty());
}

TEST_P(JournalSearches, AnIdIsTheProducersOrTheRows) {
  constexpr const char* kUpper = "ABCDEF00-0000-4000-8000-000000000001";
  NewJournalRow named = Row(1);
  named.command_id = kUpper;
  named.uuid = UuidOfMessageId(kUpper);
  Add(named, now() - std::chrono::hours(24 * 365 * 9));
  Add(Row(2));
  EXPECT_THAT(Found({.id = kUpper}), ElementsAre(named.uuid));
  EXPECT_THAT(Found({.id = named.uuid}), ElementsAre(named.uuid));
  EXPECT_THAT(Found({.id = Id(2)}), ElementsAre(Uuid(2)));
  EXPECT_THAT(Found({.id = Uuid(2)}), ElementsAre(Uuid(2)));
  EXPECT_THAT(Found({.id = Id(3)}), IsEmpty());
  EXPECT_FALSE(JournalReader(session().journal()).Read(Id(3)));
}

TEST_P(JournalSearches, AKeyIsFoundWholeAndNotAcrossTwo) {
  NewJournalRow two = Row(1);
  two.keys = {"a", "b"};
  NewJournalRow longer = Row(2);
  longer.keys = {"user:22"};
  Add(two);
  Add(longer);
  for (const char* const key : {"user:2", "ser:22", ",", "a\",\"b", "%", "USER:22"}) {
    EXPECT_THAT(Found({.key = key}), IsEmpty()) << key;
  }
  EXPECT_THAT(Found({.key = "user:22"}), ElementsAre(Uuid(2)));
}

TEST_P(JournalSearches, TheFirstTimeBelongsToASearchAndTheLastDoesNot) {
  for (int number = 1; number <= 4; ++number) Add(Row(number), now() - number * 10min);
  EXPECT_THAT(Found({.since = now() - 30min}), ElementsAre(Uuid(1), Uuid(2), Uuid(3)));
  EXPECT_THAT(Found({.until = now() - 20min}), ElementsAre(Uuid(3), Uuid(4)));
  EXPECT_THAT(Found({.key = "user:2", .since = now() - 30min, .until = now() - 20min}),
              ElementsAre(Uuid(3)));
  EXPECT_THAT(Found({.since = now() - 20min, .until = now() - 30min}), IsEmpty());
  EXPECT_THAT(Found({.since = Time::min(), .until = Time::max()}),
              ElementsAre(Uuid(1), Uuid(2), Uuid(3), Uuid(4)));
}

TEST_P(JournalSearches, WhatAClockAheadOfOursHasWrittenIsFound) {
  Add(Row(1), now() + 1h);
  Add(Row(2), now());
  EXPECT_THAT(Found({}), ElementsAre(Uuid(1), Uuid(2)));
}

TEST_P(JournalSearches, PagesHaveEachRowOnceThoughManyAreOfOneTime) {
  constexpr int kRows = 60;
  for (int number = 0; number < kRows; ++number) {
    NewJournalRow row = Row(number);
    row.outcome = "rejected";
    Add(row, now() - number % 4 * 3h);
  }
  for (const std::int64_t limit : {1, 7, 15, kRows, kRows + 1}) {
    for (const JournalSearch& search : std::vector<JournalSearch>{
             {.limit = limit},
             {.key = "user:2", .limit = limit},
             {.type = "income", .limit = limit},
             {.outcome = "rejected", .limit = limit},
             {.key = "user:2", .type = "income", .outcome = "rejected", .limit = limit}}) {
      EXPECT_THAT(Pages(search), ElementsAreArray(AllInOrder())) << limit;
    }
  }
}

TEST_P(JournalSearches, WhatComesBetweenTwoPagesDisturbsNone) {
  for (int number = 1; number <= 4; ++number) Add(Row(number), now() - number * 1min);
  const JournalFound first = Search({.limit = 2});
  ASSERT_THAT(Uuids(first.records), ElementsAre(Uuid(1), Uuid(2)));
  Add(Row(5));
  EXPECT_THAT(Found({.before = first.next}), ElementsAre(Uuid(3), Uuid(4)));
}

TEST_P(JournalSearches, OneThatHasNoTimeGoesOnWhereItEnded) {
  for (int number = 0; number < 20; ++number) Add(Row(number), now() - number * 25s);
  const auto since = now() - 15min;
  EXPECT_THAT(Pages({.key = "user:2", .since = since}, 0ms), ElementsAreArray(AllInOrder()));
  EXPECT_THAT(Pages({.since = since, .limit = 3}, 0ms), ElementsAreArray(AllInOrder()));

  const JournalFound cut = Search({.type = "nothing is"}, 0ms);
  EXPECT_THAT(cut.records, IsEmpty());
  ASSERT_TRUE(cut.searched_to);
  EXPECT_LT(*cut.searched_to, std::chrono::system_clock::now());
  ASSERT_TRUE(cut.next);
  EXPECT_EQ(cut.next->at, *cut.searched_to);
}

TEST_P(JournalSearches, OneThatHasSeenEverythingSaysSo) {
  EXPECT_THAT(Search({}).records, IsEmpty());
  EXPECT_FALSE(Search({}).next);
  Add(Row(1), now() - std::chrono::hours(24 * 365 * 20));
  const JournalFound found = Search({.key = "user:2"});
  EXPECT_THAT(Uuids(found.records), ElementsAre(Uuid(1)));
  EXPECT_FALSE(found.next);
  EXPECT_FALSE(found.searched_to);
}

}  // namespace
}  // namespace iq
