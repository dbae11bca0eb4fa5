// Statements, values and transactions on an SQLite file that stays as it is.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/sqlite_fixture.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using Kind = StoreError::Kind;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
// Runs for minutes.
constexpr std::string_view kEndless =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

TEST(SqliteStore, ItsUrlNamesAFile) {
  EXPECT_EQ(OpenStore("sqlite:/tmp/x/../iq.db")->name(), "sqlite file /tmp/iq.db");
  EXPECT_THAT(OpenStore("sqlite:var/iq.db")->name(), MatchesRegex("sqlite file /.*/var/iq.db"));
  EXPECT_THROW(OpenStore("sqlite:"), UsageError);
  EXPECT_THAT(Thrown<UsageError>([] { OpenStore("mysql://iq:secret@host/x"); }).what(),
              Not(HasSubstr("secret")));
}

TEST_F(Sqlite, TheFileIsMadeAtTheFirstUse) {
  const auto store = OpenStore("sqlite:" + (folder() / "deep" / "er" / "iq.db").string());
  const auto session = store->Open(kLong);
  EXPECT_FALSE(std::filesystem::exists(folder() / "deep"));
  EXPECT_EQ(Number(*session, "SELECT 1"), 1);
  EXPECT_TRUE(std::filesystem::exists(folder() / "deep" / "er" / "iq.db"));
  EXPECT_FALSE(store->takes_arrays());
  EXPECT_EQ(store->dialect(), ".sqlite.sql");
}

TEST_F(Sqlite, NobodyElseMayReadTheFile) {
  const auto session = Open();
  Ask(*session, "INSERT INTO item VALUES (1, '')");
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    EXPECT_EQ(entry.status().permissions() & std::filesystem::perms::others_all,
              std::filesystem::perms::none)
        << entry.path();
  }
}

TEST_F(Sqlite, GivesNumbersBack) {
  const auto session = Open();
  for (const std::int64_t number :
       {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(), kMax}) {
    const Rows rows = Ask(*session, "SELECT $1", {Int(number)});
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows.At(0, 0).type, IQ_INT64);
    EXPECT_EQ(rows.At(0, 0).u.i64, number);
  }
  for (const double number : {0.0, 0.1, -1.0 / 3, 1e300, std::numeric_limits<double>::denorm_min(),
                              std::numeric_limits<double>::infinity()}) {
    const Rows rows = Ask(*session, "SELECT $1", {Double(number)});
    EXPECT_EQ(rows.At(0, 0).type, IQ_DOUBLE);
    EXPECT_EQ(rows.At(0, 0).u.f64, number);
  }
}

TEST_F(Sqlite, GivesTruthsBackAsIntegersAndNullsAsNull) {
  const auto session = Open();
  const Rows rows = Ask(*session, "SELECT $1, $2, $3, 1 = 1", {Bool(true), Bool(false), Null()});
  EXPECT_EQ(rows.At(0, 0).type, IQ_INT64);
  EXPECT_EQ(rows.At(0, 0).u.i64, 1);
  EXPECT_EQ(rows.At(0, 1).u.i64, 0);
  EXPECT_EQ(rows.At(0, 2).type, IQ_NULL);
  EXPECT_EQ(rows.At(0, 3).u.i64, 1);
}

TEST_F(Sqlite, GivesAwkwardTextsAndEveryByteBack) {
  const auto session = Open();
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  for (const std::string& text : {""s, " "s, "NULL"s, "'"s, "$1"s, "Ünïcödé 日本語 🙂"s,
                                  "'; DROP TABLE item; --"s, "a\nb\tc\r"s}) {
    const Rows rows = Ask(*session, "SELECT $1, $2", {Text(text), Bytes(bytes)});
    EXPECT_EQ(rows.At(0, 0).type, IQ_TEXT);
    EXPECT_EQ(View(rows.At(0, 0)), text);
    EXPECT_EQ(rows.At(0, 1).type, IQ_BYTES);
    EXPECT_EQ(View(rows.At(0, 1)), bytes);
  }
  iq_value nothing = Text({});
  nothing.u.s = {nullptr, 0};
  const Rows rows = Ask(*session, "SELECT $1", {nothing});
  EXPECT_EQ(rows.At(0, 0).type, IQ_TEXT);
}

TEST_F(Sqlite, RowsOutliveTheStatementAndTheSession) {
  Rows rows;
  {
    const auto session = Open();
    rows =
        Ask(*session, "SELECT $1 UNION ALL SELECT $2", {Text("kept"), Text("a longer text too")});
    Ask(*session, "SELECT $1 UNION ALL SELECT $2", {Text("other"), Text("another longer text")});
  }
  EXPECT_EQ(View(rows.At(0, 0)), "kept");
  EXPECT_EQ(View(rows.At(1, 0)), "a longer text too");
}

TEST_F(Sqlite, RefusesValuesThatItCannotHold) {
  const auto session = Open();
  const std::vector<std::int64_t> numbers{1};
  const std::vector<iq_str> texts{Str("a")};
  for (const iq_value& array : {Ints(numbers), Texts(texts)}) {
    const auto error = ErrorOf(*session, "SELECT $1", {array});
    EXPECT_EQ(error.kind(), Kind::kStatement);
    EXPECT_THAT(error.what(), HasSubstr("parameter $1 is an array"));
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(ErrorOf(*session, "SELECT $1", {Double(nan)}).what(), HasSubstr("NaN"));
  EXPECT_EQ(ErrorOf(*session, "SELECT $1", {Text("a\0b"s)}).code(), "22021");
  EXPECT_EQ(ErrorOf(*session, "SELECT $1", {Text("\xff")}).code(), "22021");
  EXPECT_EQ(ErrorOf(*session, "SELECT $1", {OfType(99)}).code(), "42804");
  EXPECT_EQ(ErrorOf(*session, "SELECT 1\0, 2"s).code(), "22021");
}

TEST_F(Sqlite, ParametersGoByTheirNumbers) {
  const auto session = Open();
  const Rows rows =
      Ask(*session, "SELECT $2, $1, $2, $3", {Text("one"), Text("two"), Text("three")});
  EXPECT_EQ(View(rows.At(0, 0)), "two");
  EXPECT_EQ(View(rows.At(0, 1)), "one");
  EXPECT_EQ(View(rows.At(0, 2)), "two");
  EXPECT_EQ(View(rows.At(0, 3)), "three");
}

TEST_F(Sqlite, AWrongNumberOfParametersIsTheStatementsFault) {
  const auto session = Open();
  for (const std::vector<iq_value>& args :
       {std::vector<iq_value>{}, {Int(1)}, {Int(1), Int(2), Int(3)}}) {
    const auto error = ErrorOf(*session, "SELECT $2, $1", args);
    EXPECT_EQ(error.kind(), Kind::kStatement);
    EXPECT_THAT(error.what(), HasSubstr(fmt::format(
                                  "{} parameters were given, the statement wants 2", args.size())));
  }
  for (const char* const odd : {"SELECT ?", "SELECT ?1", "SELECT :a", "SELECT @a", "SELECT $a",
                                "SELECT $0", "SELECT $1::bigint"}) {
    EXPECT_THAT(ErrorOf(*session, odd, {Int(1)}).what(), HasSubstr("is no parameter")) << odd;
  }
  EXPECT_EQ(Ask(*session, "SELECT $1", {Int(7)}).At(0, 0).u.i64, 7);
}

TEST_F(Sqlite, ReturnsWhatWasWritten) {
  const auto session = Open();
  constexpr std::string_view kUpsert =
      "INSERT INTO item AS i VALUES ($2, $1) ON CONFLICT (id) DO UPDATE SET text = i.text || "
      "excluded.text RETURNING id, text";
  Ask(*session, kUpsert, {Text("a"), Int(1)});
  const Rows rows = Ask(*session, kUpsert, {Text("b"), Int(1)});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(View(rows.At(0, 1)), "ab");
  const Rows none = Ask(*session, "DELETE FROM item WHERE id = 9 RETURNING id, text");
  EXPECT_EQ(none.size(), 0U);
  EXPECT_EQ(none.columns, 2U);
}

TEST_F(Sqlite, CommitMakesEverythingVisibleAtOnce) {
  const auto session = Open();
  session->Begin();
  EXPECT_TRUE(session->InTransaction());
  Insert(*session, 1);
  EXPECT_EQ(Number(*session, "SELECT count(*) FROM item"), 1);
  Insert(*session, 2);
  EXPECT_EQ(CountItems(), 0);
  session->Commit();
  EXPECT_EQ(CountItems(), 2);
  EXPECT_FALSE(session->InTransaction());
}

TEST_F(Sqlite, RollbackAndTheSessionsEndLeaveNothing) {
  {
    const auto session = Open();
    session->Rollback();
    session->Begin();
    session->Rollback();
    session->Begin();
    Insert(*session, 1);
    session->Rollback();
    session->Rollback();
    EXPECT_FALSE(session->InTransaction());
    EXPECT_EQ(CountItems(), 0);
    session->Begin();
    Insert(*session, 2);
  }
  EXPECT_EQ(CountItems(), 0);
}

TEST_F(Sqlite, AQueryOutsideATransactionIsOneOfItsOwn) {
  const auto session = Open();
  Ask(*session, "INSERT INTO item VALUES (1, 'a')");
  EXPECT_EQ(CountItems(), 1);
  EXPECT_EQ(ErrorOf(*session, "INSERT INTO item VALUES (2, 'b'), (1, 'c')").kind(),
            Kind::kDuplicate);
  EXPECT_EQ(CountItems(), 1);
}

TEST_F(Sqlite, AnExecutedStatementsErrorShowsAtTheNextQuery) {
  const auto session = Open();
  session->Begin();
  Insert(*session, 1);
  session->Execute("INSERT INTO item VALUES ('no number', '')", {});
  EXPECT_TRUE(session->InTransaction());
  Insert(*session, 2);
  const auto error = ErrorOf(*session, "SELECT 1");
  EXPECT_EQ(error.kind(), Kind::kStatement);
  EXPECT_EQ(error.code(), "42804");
  EXPECT_FALSE(session->InTransaction());
  session->Rollback();
  session->Begin();
  Insert(*session, 3);
  session->Commit();
  EXPECT_EQ(Number(*Open(), "SELECT sum(id) FROM item"), 3);
}

TEST_F(Sqlite, AnExecutedStatementsErrorShowsAtCommit) {
  const auto session = Open();
  session->Begin();
  Insert(*session, 1);
  Insert(*session, 1);
  Insert(*session, 2);
  const auto error = Thrown<StoreError>([&] { session->Commit(); });
  EXPECT_EQ(error.kind(), Kind::kDuplicate);
  EXPECT_EQ(error.constraint(), "item_pkey");
  EXPECT_EQ(CountItems(), 0);
  session->Begin();
  Insert(*session, 1);
  session->Commit();
  EXPECT_EQ(CountItems(), 1);
}

// `OR ROLLBACK` ends the transaction: what came after it would otherwise be committed at once.
TEST_F(Sqlite, WhatFollowsAFailedStatementIsSkipped) {
  const auto session = Open();
  session->Begin();
  Insert(*session, 1);
  session->Execute("INSERT OR ROLLBACK INTO item VALUES (1, 'again')", {});
  Insert(*session, 2);
  EXPECT_EQ(Thrown<StoreError>([&] { session->Commit(); }).kind(), Kind::kDuplicate);
  session->Begin();
  Insert(*session, 1);
  EXPECT_EQ(ErrorOf(*session, "INSERT OR ROLLBACK INTO item VALUES (1, 'again')").kind(),
            Kind::kDuplicate);
  EXPECT_FALSE(session->InTransaction());
  EXPECT_THROW(Insert(*session, 2), StoreError);
  EXPECT_THROW(session->Commit(), StoreError);
  EXPECT_EQ(CountItems(), 0);
}

TEST_F(Sqlite, AFailedTransactionCanOnlyBeRolledBack) {
  const auto session = Open();
  session->Begin();
  Insert(*session, 1);
  EXPECT_THROW(Ask(*session, "SELECT absent"), StoreError);
  EXPECT_EQ(ErrorOf(*session, "SELECT 1").code(), "42703");
  EXPECT_THROW(Insert(*session, 2), StoreError);
  EXPECT_EQ(Thrown<StoreError>([&] { session->Commit(); }).code(), "42703");
  EXPECT_EQ(CountItems(), 0);
}

TEST_F(Sqlite, ADeferredConstraintFailsAtCommit) {
  const auto session = Open();
  session->RunScript(
      "CREATE TABLE part (item INTEGER REFERENCES item DEFERRABLE INITIALLY DEFERRED)");
  session->Begin();
  session->Execute("INSERT INTO part VALUES (9)", {});
  EXPECT_EQ(Number(*session, "SELECT count(*) FROM part"), 1);
  EXPECT_EQ(Thrown<StoreError>([&] { session->Commit(); }).code(), "23503");
  EXPECT_EQ(Number(*session, "SELECT count(*) FROM part"), 0);
}

TEST_F(Sqlite, ErrorsAreToldApartAndNameTheConstraint) {
  const auto session = Open();
  session->RunScript(
      "CREATE TABLE part (a INTEGER NOT NULL CHECK (a > 0), b TEXT, c INTEGER REFERENCES item,"
      " UNIQUE (a, b), CONSTRAINT even CHECK (a % 2 = 0)) STRICT;"
      "CREATE TABLE sized (name TEXT); CREATE UNIQUE INDEX one_of_a_size ON sized (length(name));"
      "INSERT INTO sized VALUES ('x');"
      "CREATE TABLE named (name TEXT PRIMARY KEY);"
      "INSERT INTO named VALUES ('x'); INSERT INTO part VALUES (2, 'x', NULL)");
  const auto expect = [&](std::string_view sql, std::string_view code,
                          std::string_view constraint) {
    const auto error = ErrorOf(*session, sql);
    EXPECT_EQ(error.code(), code) << sql;
    EXPECT_EQ(error.constraint(), constraint) << sql;
    EXPECT_EQ(error.kind(), code == "23505" ? Kind::kDuplicate : Kind::kStatement);
    EXPECT_THAT(error.what(), HasSubstr(fmt::format("(SQLSTATE {})", code)));
  };
  expect("INSERT INTO named VALUES ('x')", "23505", "named_pkey");
  expect("INSERT INTO part VALUES (2, 'x', NULL)", "23505", "part_a_b_key");
  expect("INSERT INTO sized VALUES ('y')", "23505", "one_of_a_size");
  expect("INSERT INTO part VALUES (-2, NULL, NULL)", "23514", "a > 0");
  expect("INSERT INTO part VALUES (3, NULL, NULL)", "23514", "even");
  expect("INSERT INTO part VALUES (NULL, NULL, NULL)", "23502", "");
  expect("INSERT INTO part VALUES (4, NULL, 9)", "23503", "");
  expect("INSERT INTO part VALUES ('x', NULL, NULL)", "42804", "");
  expect("SELECT FROM", "42601", "");
  expect("SELECT * FROM nowhere", "42P01", "");
  expect("SELECT absent FROM part", "42703", "");
  expect("SELECT absent()", "42883", "");
  expect("SELECT sum(9223372036854775807) FROM (SELECT 1 UNION ALL SELECT 2)", "22003", "");
  EXPECT_THAT(ErrorOf(*session, "INSERT INTO named VALUES ('x')").what(), Not(HasSubstr("'x'")));
}

TEST_F(Sqlite, AStatementThatRunsTooLongIsADeadline) {
  const auto session = Open(100ms);
  session->Begin();
  Insert(*session, 1);
  const auto error = ErrorOf(*session, kEndless);
  EXPECT_EQ(error.kind(), Kind::kDeadline);
  EXPECT_EQ(error.code(), "57014");
  session->Rollback();
  EXPECT_EQ(ErrorOf(*session, kEndless).kind(), Kind::kDeadline);
  EXPECT_EQ(Number(*session, "SELECT 1"), 1);
  session->Begin();
  session->Execute(kEndless, {});
  EXPECT_EQ(Thrown<StoreError>([&] { session->Commit(); }).kind(), Kind::kDeadline);
}

TEST_F(Sqlite, AStatementEndsAtTheCallersDeadline) {
  const auto session = Open(1h);
  session->SetDeadline(std::chrono::steady_clock::now() + 200ms);
  session->Begin();
  Insert(*session, 1);
  EXPECT_EQ(ErrorOf(*session, kEndless).kind(), Kind::kDeadline);
  session->Rollback();
  session->SetDeadline(std::chrono::steady_clock::time_point::max());
  EXPECT_EQ(Number(*session, "SELECT count(*) FROM item"), 0);
}

TEST_F(Sqlite, ScriptsMayRunLongerThanStatements) {
  const auto session = Open(20ms);
  constexpr std::string_view kSlow =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) "
      "SELECT count(*) FROM n";
  EXPECT_THROW(Ask(*session, kSlow), StoreError) << "the statement is too fast for this test";
  session->RunScript(kSlow);
}

TEST_F(Sqlite, TheHostAloneControlsTransactionAndConnection) {
  const auto session = Open();
  for (const std::string& sql : {"COMMIT"s,
                                 "commit;"s,
                                 "/* x */ COMMIT"s,
                                 "-- x\nEND"s,
                                 ";;COMMIT"s,
                                 "\xEF\xBB\xBF"
                                 "COMMIT"s,
                                 "END TRANSACTION"s,
                                 "ROLLBACK"s,
                                 "rollback to a"s,
                                 "BEGIN"s,
                                 "BEGIN IMMEDIATE"s,
                                 "SAVEPOINT a"s,
                                 "RELEASE a"s,
                                 "EXPLAIN COMMIT"s,
                                 "ATTACH ':memory:' AS x"s,
                                 "DETACH main"s,
                                 "PRAGMA foreign_keys = OFF"s,
                                 "PRAGMA synchronous(0)"s,
                                 "pragma user_version"s,
                                 "PRAGMA main.journal_mode = DELETE"s,
                                 "VACUUM"s,
                                 "VACUUM INTO '/tmp/iq-stolen.db'"s,
                                 "SELECT * FROM pragma_table_info('item')"s,
                                 "SELECT 1; COMMIT"s,
                                 "SELECT 1; SELECT 2"s,
                                 "INSERT INTO item VALUES (8, ''); END"s,
                                 "SELECT load_extension('x')"s,
                                 ""s,
                                 "-- x"s,
                                 ";"s}) {
    SCOPED_TRACE(sql);
    session->Begin();
    Insert(*session, 1);
    EXPECT_THROW(Ask(*session, sql), StoreError);
    session->Rollback();
    EXPECT_THROW(Ask(*session, sql), StoreError);
    session->Begin();
    Insert(*session, 1);
    session->Execute(sql, {});
    EXPECT_THROW(session->Commit(), StoreError);
    ASSERT_EQ(CountItems(), 0);
  }
  EXPECT_THAT(ErrorOf(*session, "COMMIT").what(), HasSubstr("COMMIT is refused"));
  EXPECT_EQ(ErrorOf(*session, "COMMIT").code(), "2D000");
  EXPECT_THAT(ErrorOf(*session, "PRAGMA user_version").what(), HasSubstr("PRAGMA user_version"));
  session->Begin();
  EXPECT_EQ(Number(*session, "SELECT 1 ; -- and no more\n"), 1);
  session->Commit();
}

TEST_F(Sqlite, ARefusedStatementStaysRefusedAfterAChangeOfTheSchema) {
  const auto session = Open();
  session->RunScript("CREATE TABLE part (id INTEGER)");
  session->Facts();
  EXPECT_THROW(Ask(*session, "PRAGMA synchronous"), StoreError) << "the host has asked the same";
  EXPECT_THROW(Ask(*session, "COMMIT"), StoreError);
  session->RunScript("ALTER TABLE part ADD more INTEGER CHECK (more > 0)");
  EXPECT_THROW(Ask(*session, "COMMIT"), StoreError);
  session->Begin();
  session->Commit();
}

TEST_F(Sqlite, APreparedStatementOutlivesAChangeOfItsTable) {
  const auto session = Open();
  constexpr std::string_view kSelect = "SELECT * FROM item";
  EXPECT_EQ(Ask(*session, kSelect).columns, 2U);
  Open()->RunScript("ALTER TABLE item ADD COLUMN more TEXT");
  EXPECT_EQ(Ask(*session, kSelect).columns, 3U);
}

TEST_F(Sqlite, TakesAnyNumberOfDifferentStatements) {
  const auto session = Open();
  for (int i = 0; i < 2100; ++i) {
    ASSERT_EQ(Ask(*session, fmt::format("SELECT {} + $1", i), {Int(1)}).At(0, 0).u.i64, i + 1);
  }
}

TEST_F(Sqlite, CountsWhatMayHaveChangedSomething) {
  const auto session = Open();
  Ask(*session, "INSERT INTO item VALUES (1, '')");
  session->Begin();
  const auto writes = [&](std::string_view sql) {
    const auto before = session->writes();
    Ask(*session, sql);
    return session->writes() - before;
  };
  EXPECT_EQ(writes("SELECT * FROM item"), 0U);
  EXPECT_EQ(writes("  -- why\n /* so */ select abs(id) FROM item"), 0U);
  EXPECT_EQ(writes("WITH x AS (SELECT 1) SELECT * FROM x"), 0U);
  EXPECT_EQ(writes("VALUES (1)"), 0U);
  EXPECT_EQ(writes("UPDATE item SET text = '' WHERE id = 99"), 0U);
  EXPECT_EQ(writes("DELETE FROM item WHERE id = 99 RETURNING id"), 0U);
  EXPECT_EQ(writes("INSERT INTO item VALUES (1, '') ON CONFLICT DO NOTHING"), 0U);
  EXPECT_EQ(writes("UPDATE item SET text = '' WHERE id = 1"), 1U);
  EXPECT_EQ(writes("INSERT INTO item VALUES (2, '') RETURNING id"), 1U);
  EXPECT_EQ(writes("WITH x AS (SELECT 2 AS id) DELETE FROM item WHERE id IN x"), 1U);
  EXPECT_EQ(writes("REPLACE INTO item VALUES (1, 'x')"), 1U);
  EXPECT_EQ(writes("CREATE TABLE part (id INTEGER)"), 1U);
  const auto before = session->writes();
  session->Execute("SELECT 1", {});
  session->Execute("DELETE FROM item WHERE id = 99", {});
  EXPECT_EQ(session->writes(), before);
  Insert(*session, 3);
  EXPECT_EQ(session->writes(), before + 1);
  session->Rollback();
  session->Begin();
  EXPECT_EQ(session->writes(), 0U);
}

TEST_F(Sqlite, NowIsTheSameThroughoutATransaction) {
  const auto session = Open();
  const auto now = [&] { return std::string(View(Ask(*session, "SELECT now()").At(0, 0))); };
  session->Begin();
  const std::string first = now();
  EXPECT_THAT(first, MatchesRegex("20[0-9-]+T[0-9:]+\\.[0-9][0-9][0-9][0-9][0-9][0-9]Z"));
  EXPECT_EQ(
      Ask(*session, "SELECT abs(julianday($1) - julianday('now')) * 86400 < 60", {Text(first)})
          .At(0, 0)
          .u.i64,
      1);
  EXPECT_EQ(now(), first);
  session->Commit();
  session->Begin();
  EXPECT_GT(now(), first);
  session->Commit();
  const std::string before = now();
  EXPECT_GT(now(), before) << "without a transaction, each statement is one";
}

TEST_F(Sqlite, RunsScriptsInsideAndOutsideOfTransactions) {
  const auto session = Open();
  session->RunScript("CREATE TABLE part (id INTEGER); INSERT INTO part VALUES (1); SELECT 1;");
  session->Begin();
  Insert(*session, 1);
  session->RunScript("INSERT INTO part VALUES (2); INSERT INTO item VALUES (2, '')");
  EXPECT_TRUE(session->InTransaction());
  session->Rollback();
  EXPECT_EQ(Number(*session, "SELECT count(*) FROM part"), 1);
  EXPECT_EQ(CountItems(), 0);
  EXPECT_EQ(
      session->RunScript("INSERT INTO part VALUES (2), (3); SELECT * FROM part;"
                         "UPDATE part SET id = id WHERE id > 1; DELETE FROM part WHERE id = 9;"
                         "CREATE TABLE more (id INTEGER); DELETE FROM part WHERE id = 1;\n"),
      5U);
}

TEST_F(Sqlite, AScriptsErrorNamesTheLineAndUndoesTheWholeScript) {
  const auto session = Open();
  const auto error_of = [&](std::string_view script) {
    return std::string(Thrown<StoreError>([&] { session->RunScript(script); }).what());
  };
  EXPECT_THAT(error_of("INSERT INTO item VALUES (1, '');\n\n-- ä\nINSERT INTO nowhere\nVALUES (1)"),
              HasSubstr("line 4: no such table: nowhere"));
  EXPECT_THAT(error_of("SELECT 1;\nINSERT INTO item\nVALUES (1, absent)"), HasSubstr("line 3"));
  EXPECT_THAT(
      error_of("INSERT INTO item VALUES (1, '');\n/* x */\nINSERT INTO item VALUES (1, '')"),
      HasSubstr("line 3: UNIQUE"));
  EXPECT_THAT(error_of("INSERT INTO item VALUES (1, '');\nCOMMIT;"),
              HasSubstr("line 2: COMMIT is"));
  EXPECT_EQ(CountItems(), 0);
  session->Begin();
  EXPECT_THROW(session->RunScript("SELECT absent"), StoreError);
  EXPECT_FALSE(session->InTransaction());
  EXPECT_THROW(session->Commit(), StoreError);
  EXPECT_EQ(Number(*session, "SELECT 1"), 1);
}

TEST_F(Sqlite, TellsItsVersionAndThatCommitsReachTheDisk) {
  const ServerFacts facts = Open()->Facts();
  EXPECT_EQ(facts.version, sqlite3_libversion());
  ASSERT_EQ(facts.durability.size(), 2U);
  EXPECT_EQ(facts.durability[0].name + facts.durability[0].value, "synchronousfull");
  EXPECT_EQ(facts.durability[1].name + facts.durability[1].value, "journal_modewal");
  EXPECT_EQ(facts.durability[0].mend + facts.durability[1].mend, "");
}

TEST_F(Sqlite, ManyProcessesMayOpenANewFileAtOnce) {
  constexpr int kRounds = 20;
  constexpr int kProcesses = 8;
  for (int round = 0; round < kRounds; ++round) {
    const std::string url = "sqlite:" + (folder() / fmt::format("new{}.db", round)).string();
    const Signal start;
    std::vector<std::unique_ptr<ForkedProcess>> processes;
    for (int i = 0; i < kProcesses; ++i) {
      processes.push_back(std::make_unique<ForkedProcess>([&] {
        start.Await();
        const auto session = OpenStore(url)->Open(kLong);
        session->RunScript("CREATE TABLE IF NOT EXISTS t (id INTEGER)");
        session->Query("INSERT INTO t VALUES (1)", {});
      }));
    }
    for (int i = 0; i < kProcesses; ++i) start.Give();
    for (const auto& process : processes) EXPECT_EQ(process->Join(), 0);
    EXPECT_EQ(Number(*OpenStore(url)->Open(kLong), "SELECT count(*) FROM t"), kProcesses);
  }
}

}  // namespace
}  // namespace iq
