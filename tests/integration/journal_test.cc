// The journal's statements on both stores: what is found again, who is first, and who gets a silent
// worker.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <future>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "host/migrations.h"
#include "host/store/journal_table.h"
#include "tests/integration/store_under_test.h"
#include "tests/integration/store_words.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::string Uuid(int number) { return fmt::format("00000000-0000-4000-8000-{:012}", number); }

const std::string kWorker = Uuid(900);
const std::string kNil = "00000000-0000-0000-0000-000000000000";

NewJournalRow Row(int number) {
  NewJournalRow row;
  row.uuid = Uuid(number);
  row.command_id = fmt::format("id {} 'ü\"", number);
  row.type = "income";
  row.outcome = "done";
  row.events = R"([{"id": "e"}])";
  row.payload_hash = "00ff";
  row.plugin = "income/1.0.0";
  row.attempts = 1;
  return row;
}

std::vector<std::string> Uuids(const std::vector<JournalRow>& rows) {
  std::vector<std::string> uuids;
  for (const JournalRow& row : rows) uuids.push_back(row.uuid);
  return uuids;
}

class JournalRows : public testing::TestWithParam<StoreKind> {
 protected:
  JournalRows() {
    Apply(*session_, std::filesystem::path(IQ_SOURCE_DIR) / "sql", database_.store().dialect(),
          [](const Migration&) {});
  }

  void Insert(const std::vector<NewJournalRow>& rows, std::int64_t batch = 1) {
    session_->Begin();
    journal().Insert(rows, kWorker, batch);
    session_->Commit();
  }

  // Makes every row of a table older.
  void Age(const std::string& table, const std::string& column, int age_s) {
    const std::string name = database_.Own(table);
    database_.Exec(database_.is_sqlite()
                       ? fmt::format("UPDATE {0} SET {1} = strftime('%Y-%m-%dT%H:%M:%f000Z', {1}, "
                                     "'-{2} seconds')",
                                     name, column, age_s)
                       : fmt::format("UPDATE {0} SET {1} = {1} - interval '{2} seconds'", name,
                                     column, age_s));
  }

  std::vector<JournalRow> Find(const std::vector<std::string>& uuids) {
    journal().Ask(uuids);
    return journal().Answer();
  }

  StoreUnderTest& database() { return database_; }
  Session& session() { return *session_; }
  JournalTable& journal() { return session_->journal(); }
  std::string Count(const std::string& table) {
    return database_.Value("SELECT count(*) FROM " + database_.Own(table));
  }

 private:
  StoreUnderTest database_{GetParam()};
  std::unique_ptr<Session> session_ = database_.Open();
};

INSTANTIATE_TEST_SUITE_P(Stores, JournalRows, kBothStores, NameOf);

TEST_P(JournalRows, AreFoundAsTheyWereWritten) {
  NewJournalRow full = Row(1);
  full.outcome = "rejected";
  full.code = "insufficient_funds";
  full.reason = "why \\ not";
  full.correlation_id = "c";
  full.traceparent = "t";
  Insert({full, Row(2)});
  const std::vector<std::string> asked{Uuid(1), Uuid(3)};
  const auto found = Find(asked);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].uuid, full.uuid);
  EXPECT_EQ(found[0].command_id, full.command_id);
  EXPECT_EQ(found[0].outcome, full.outcome);
  EXPECT_EQ(found[0].code, full.code);
  EXPECT_EQ(found[0].reason, full.reason);
  EXPECT_EQ(found[0].events, full.events);
  EXPECT_EQ(found[0].payload_hash, full.payload_hash);
  EXPECT_EQ(found[0].correlation_id, full.correlation_id);
  EXPECT_EQ(found[0].traceparent, full.traceparent);
}

TEST_P(JournalRows, AnEmptyTextIsNull) {
  Insert({Row(1)});
  EXPECT_EQ(database().Value("SELECT count(*) FROM " + database().Own("journal") +
                             " WHERE code IS NULL AND reason IS NULL AND correlation_id IS NULL "
                             "AND traceparent IS NULL"),
            "1");
  const std::vector<std::string> asked{Uuid(1)};
  EXPECT_EQ(Find(asked).at(0).code, "");
}

TEST_P(JournalRows, ManyAreFoundAtOnce) {
  std::vector<NewJournalRow> rows;
  std::vector<std::string> uuids;
  for (int number = 1; number <= 500; ++number) {
    rows.push_back(Row(number));
    uuids.push_back(Uuid(number));
  }
  Insert(rows);
  EXPECT_EQ(Find(uuids).size(), 500U);
  EXPECT_THAT(Find({}), IsEmpty());
}

TEST_P(JournalRows, AnAnswerThatNobodyComesForIsNotTakenForAnother) {
  Insert({Row(1), Row(2)});
  const std::vector<std::string> both{Uuid(1), Uuid(2)};
  journal().Ask(both);
  EXPECT_EQ(session().Query("SELECT 7", {}).At(0, 0).u.i64, 7);
  journal().Ask(both);
  Insert({Row(3)});
  journal().Ask(both);
  EXPECT_THAT(Uuids(Find({Uuid(3)})), UnorderedElementsAre(Uuid(3)));
  EXPECT_EQ(Count("journal"), "3");
}

TEST_P(JournalRows, AQuestionThatFailedFailsNothingElse) {
  Insert({Row(1)});
  journal().Ask(std::vector<std::string>{"no UUID"});
  Insert({Row(2)});
  EXPECT_EQ(Find({Uuid(1), Uuid(2)}).size(), 2U);
}

// The server keeps a plan until the table is analyzed again.
TEST(PostgresJournalRows, AreLookedUpByTheirKeyThoughTheTableWasEmptyBefore) {
  StoreUnderTest database(StoreKind::kPostgres);
  const auto session = database.Open();
  Apply(*session, std::filesystem::path(IQ_SOURCE_DIR) / "sql", database.store().dialect(),
        [](const Migration&) {});
  database.Exec("ANALYZE iq.journal");
  const auto ask = [&] {
    for (int i = 0; i < 10; ++i) {  // The server tries five plans before it keeps one.
      session->journal().Ask(std::vector{Uuid(1)});
      session->journal().Answer();
    }
    session->Query("SELECT pg_stat_force_next_flush()", {});
    return database.Value(
        "SELECT seq_scan FROM pg_stat_user_tables WHERE relid = 'iq.journal'::regclass");
  };
  const std::string scans = ask();
  session->Begin();
  session->journal().Insert(std::vector{Row(1), Row(2)}, kWorker, 1);
  session->Commit();
  EXPECT_EQ(ask(), scans);
}

TEST(PostgresJournalRows, HowTheyAreLookedUpIsNoMatterOfWhatFollows) {
  StoreUnderTest database(StoreKind::kPostgres);
  const auto session = database.Open();
  Apply(*session, std::filesystem::path(IQ_SOURCE_DIR) / "sql", database.store().dialect(),
        [](const Migration&) {});
  const std::vector<std::string> asked{Uuid(1)};
  const auto settings = [&] {
    const Rows rows = session->Query(
        "SELECT current_setting('plan_cache_mode') || ' ' || current_setting('enable_seqscan')",
        {});
    return std::string(rows.At(0, 0).u.s.ptr, rows.At(0, 0).u.s.len);
  };
  session->journal().Ask(asked);
  session->journal().Answer();
  EXPECT_EQ(settings(), "auto on");
  session->journal().Ask(asked);  // Nobody comes for the answer.
  session->Begin();
  EXPECT_EQ(settings(), "auto on");
  session->Rollback();
}

TEST_P(JournalRows, TheirNumberAndAgeAreMeasured) {
  EXPECT_EQ(journal().Measure().oldest, std::chrono::milliseconds(0));
  Insert({Row(1), Row(2)});
  Age("journal", "committed_at", 3600);
  const auto hour = std::chrono::hours(1);
  EXPECT_GT(journal().Measure().oldest, hour - std::chrono::seconds(1)) << "one clock may round";
  EXPECT_LT(journal().Measure().oldest, hour + std::chrono::minutes(1));
}

TEST_P(JournalRows, ARepeatFailsTheWholeTransactionAndIsTold) {
  Insert({Row(2)});
  session().Begin();
  const std::vector<NewJournalRow> rows{Row(1), Row(2), Row(3)};
  journal().Insert(rows, kWorker, 2);
  journal().NoteProgress({kWorker, 1, true, "host", 7}, /*in_transaction=*/true);
  const auto error = Thrown<StoreError>([&] { session().Commit(); });
  EXPECT_TRUE(journal().IsRepeat(error));
  EXPECT_EQ(Count("journal"), "1");
  EXPECT_EQ(Count("worker"), "0");
}

TEST_P(JournalRows, RepeatsAreCountedWhereTheyHaveARow) {
  Insert({Row(1), Row(2)});
  journal().NoteRepeats(std::vector<std::string>{Uuid(2), Uuid(1), Uuid(3), Uuid(2)});
  journal().NoteRepeats(std::vector<std::string>{Uuid(2)});
  const auto repeats = [&](int number) {
    return database().Value(fmt::format("SELECT repeats FROM {} WHERE message_id = '{}'",
                                        database().Own("journal"), Uuid(number)));
  };
  EXPECT_EQ(repeats(1), "1");
  EXPECT_EQ(repeats(2), "3");
  EXPECT_EQ(Count("journal"), "2");
}

TEST_P(JournalRows, OfRepeatsThatManyCountAtOnceNoneIsLost) {
  constexpr int kSessions = 4;
  constexpr int kTimes = 25;
  Insert({Row(1), Row(2), Row(3), Row(4)});
  const std::vector<std::string> uuids{Uuid(1), Uuid(2), Uuid(3), Uuid(4)};
  std::vector<std::future<void>> sessions;
  for (int i = 0; i < kSessions; ++i) {
    sessions.push_back(std::async(std::launch::async, [&] {
      const auto own = database().Open();
      for (int time = 0; time < kTimes; ++time) own->journal().NoteRepeats(uuids);
    }));
  }
  for (std::future<void>& session : sessions) session.get();
  EXPECT_EQ(database().Value("SELECT min(repeats) FROM " + database().Own("journal")),
            std::to_string(kSessions * kTimes));
}

TEST_P(JournalRows, AnotherTablesDuplicateIsNoRepeat) {
  session().Begin();
  session().Execute("INSERT INTO balance VALUES (1, 1), (1, 1)", {});
  const auto error = Thrown<StoreError>([&] { session().Commit(); });
  EXPECT_EQ(error.kind(), StoreError::Kind::kDuplicate);
  EXPECT_EQ(error.constraint(), "balance_pkey");
  EXPECT_FALSE(journal().IsRepeat(error));
}

TEST_P(JournalRows, ARowMayGoOnlyWhereItIsARejection) {
  NewJournalRow rejected = Row(2);
  rejected.outcome = "rejected";
  NewJournalRow untouched = Row(4);
  untouched.outcome = "rejected";
  Insert({Row(1), rejected, untouched});
  const std::vector<std::string> asked{Uuid(1), Uuid(2), Uuid(3)};
  EXPECT_THAT(journal().RemoveRejected(asked), ElementsAre(Uuid(2)));
  EXPECT_THAT(journal().RemoveRejected(asked), IsEmpty());
  EXPECT_EQ(Count("journal"), "2");
}

TEST_P(JournalRows, PruningTakesTheOldestInSmallBatches) {
  Insert({Row(1), Row(2), Row(3)});
  Age("journal", "committed_at", 10);
  Insert({Row(4)});
  Age("journal", "committed_at", 10);
  Insert({Row(5)});
  EXPECT_EQ(journal().Prune(1h, 10), 0);
  EXPECT_EQ(journal().Prune(15s, 2), 2);
  EXPECT_EQ(journal().Prune(15s, 2), 1);
  EXPECT_EQ(journal().Prune(15s, 2), 0);
  const std::vector<std::string> all{Uuid(1), Uuid(2), Uuid(3), Uuid(4), Uuid(5)};
  EXPECT_THAT(Uuids(Find(all)), UnorderedElementsAre(Uuid(4), Uuid(5)));
}

TEST_P(JournalRows, UnconfirmedAreThoseAfterTheMarkThatHaveEvents) {
  Insert({Row(1)}, 1);
  journal().NoteProgress({kWorker, 0, true, "host", 7}, /*in_transaction=*/false);
  Age("journal", "committed_at", 100);  // Well before the worker's mark in time.
  NewJournalRow silent = Row(3);
  silent.events = "[]";
  Insert({Row(2)}, 1);
  Insert({silent, Row(4), Row(5), Row(6)}, 2);
  EXPECT_THAT(Uuids(journal().Unconfirmed({kWorker, 0, ""}, kNil, 10)),
              ElementsAre(Uuid(2), Uuid(4), Uuid(5), Uuid(6)));
  EXPECT_THAT(Uuids(journal().Unconfirmed({kWorker, 1, ""}, Uuid(4), 1)), ElementsAre(Uuid(5)));
  EXPECT_THAT(journal().Unconfirmed({kWorker, 2, ""}, kNil, 10), IsEmpty());
  EXPECT_THAT(journal().Unconfirmed({Uuid(901), 0, ""}, kNil, 10), IsEmpty());
}

TEST_P(JournalRows, AWorkersTimeMovesOnlyWhenItBoundsWhatIsUnconfirmed) {
  const auto note = [&](std::int64_t confirmed, bool bounds) {
    journal().NoteProgress({kWorker, confirmed, bounds, "host", 7}, /*in_transaction=*/false);
  };
  const auto times = [&] {
    return database().Rows("SELECT confirmed, confirmed_at, seen_at, host, pid FROM " +
                           database().Own("worker"))[0];
  };
  note(1, true);
  const auto first = times();
  note(2, false);
  const auto second = times();
  EXPECT_EQ(second[0], "2");
  EXPECT_EQ(second[1], first[1]);
  EXPECT_GT(second[2], first[2]);
  note(3, true);
  EXPECT_GT(times()[1], first[1]);
  EXPECT_EQ(times()[3] + times()[4], "host7");
}

TEST_P(JournalRows, ASilentWorkerIsClaimedOnceAndRemovedUnlessItLives) {
  journal().NoteProgress({kWorker, 5, true, "host", 7}, /*in_transaction=*/false);
  EXPECT_FALSE(journal().ClaimSilentWorker(1h));
  Age("worker", "seen_at", 100);
  auto claim = journal().ClaimSilentWorker(10s);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->id, kWorker);
  EXPECT_EQ(claim->confirmed, 5);
  EXPECT_FALSE(journal().ClaimSilentWorker(10s));
  journal().NoteProgress({kWorker, 6, true, "host", 7}, /*in_transaction=*/false);
  journal().RemoveSilentWorker(*claim);
  EXPECT_EQ(Count("worker"), "1") << "it lives";
  Age("worker", "seen_at", 100);
  claim = journal().ClaimSilentWorker(10s);
  ASSERT_TRUE(claim);
  journal().RemoveSilentWorker(*claim);
  EXPECT_EQ(Count("worker"), "0");
}

TEST_P(JournalRows, OfManyThatClaimAtOnceOneGetsIt) {
  constexpr int kRounds = 20;
  constexpr int kSweepers = 4;
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < kSweepers; ++i) sessions.push_back(database().Open());
  for (int round = 0; round < kRounds; ++round) {
    journal().NoteProgress({Uuid(round), 0, true, "host", 7}, /*in_transaction=*/false);
    Age("worker", "seen_at", 100);
    std::latch together(kSweepers);
    std::vector<std::future<bool>> claims;
    for (const auto& session : sessions) {
      claims.push_back(std::async(std::launch::async, [&together, &session] {
        together.arrive_and_wait();
        return session->journal().ClaimSilentWorker(10s).has_value();
      }));
    }
    int claimed = 0;
    for (auto& claim : claims) claimed += claim.get() ? 1 : 0;
    EXPECT_EQ(claimed, 1) << "round " << round;
    journal().RemoveWorker(Uuid(round));
  }
  EXPECT_EQ(Count("worker"), "0");
}

TEST_P(JournalRows, AreMissedBeforeTheyAreMigrated) {
  EXPECT_NO_THROW(journal().Check());
  session().RunScript("DROP TABLE " + database().Own("worker"));
  EXPECT_EQ(Thrown<StoreError>([&] { journal().Check(); }).code(), "42P01");
}

}  // namespace
}  // namespace iq
