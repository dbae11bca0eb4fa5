// Statements, values and transactions against a real PostgreSQL that stays up.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <future>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/postgres_fixture.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = StoreError::Kind;

TEST_F(Postgres, GivesIntegersBack) {
  const auto session = Open();
  for (const std::int64_t number :
       {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::int64_t>::max()}) {
    const Rows rows = Ask(*session, "SELECT $1::bigint, 7::int, (-7)::smallint", {Int(number)});
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows.At(0, 0).type, IQ_INT64);
    EXPECT_EQ(rows.At(0, 0).u.i64, number);
    EXPECT_EQ(rows.At(0, 1).type, IQ_INT64);
    EXPECT_EQ(rows.At(0, 1).u.i64, 7);
    EXPECT_EQ(rows.At(0, 2).u.i64, -7);
  }
}

TEST_F(Postgres, GivesDoublesBackToTheLastBit) {
  const auto session = Open();
  for (const double number :
       {0.0, 0.1, -1.0 / 3, 1e300, std::numeric_limits<double>::denorm_min(),
        std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    const Rows rows = Ask(*session, "SELECT $1::float8", {Double(number)});
    EXPECT_EQ(rows.At(0, 0).type, IQ_DOUBLE);
    EXPECT_EQ(rows.At(0, 0).u.f64, number);
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(Ask(*session, "SELECT $1::float8", {Double(-nan)}).At(0, 0).u.f64));
}

TEST_F(Postgres, GivesBooleansAndNullsBack) {
  const auto session = Open();
  const Rows rows = Ask(*session, "SELECT $1::bool, $2::bool, $3::bigint, $4::text, $5::bytea",
                        {Bool(true), Bool(false), Null(), Null(), Null()});
  EXPECT_EQ(rows.At(0, 0).type, IQ_BOOL);
  EXPECT_EQ(rows.At(0, 0).u.i64, 1);
  EXPECT_EQ(rows.At(0, 1).u.i64, 0);
  for (std::size_t column = 2; column < 5; ++column) EXPECT_EQ(rows.At(0, column).type, IQ_NULL);
}

const std::vector<std::string>& AwkwardTexts() {
  static const std::vector<std::string> texts = {"",
                                                 " ",
                                                 "NULL",
                                                 "null",
                                                 "'",
                                                 "\"",
                                                 "\\",
                                                 "\\\\\"",
                                                 "{}",
                                                 "{a,b}",
                                                 ",",
                                                 "a\nb\tc\r",
                                                 "$1",
                                                 "\\x41",
                                                 "Ünïcödé 日本語 🙂",
                                                 "'; DROP TABLE item; --"};
  return texts;
}

TEST_F(Postgres, GivesAwkwardTextsBack) {
  const auto session = Open();
  for (const std::string& text : AwkwardTexts()) {
    const Rows rows = Ask(*session, "SELECT $1::text", {Text(text)});
    EXPECT_EQ(rows.At(0, 0).type, IQ_TEXT);
    EXPECT_EQ(View(rows.At(0, 0)), text);
  }
}

TEST_F(Postgres, GivesAwkwardTextsInArraysBack) {
  const auto session = Open();
  std::vector<iq_str> items;
  for (const std::string& text : AwkwardTexts()) items.push_back(Str(text));
  items.push_back({nullptr, 0});
  const Rows rows =
      Ask(*session, "SELECT * FROM unnest($1::text[]) WITH ORDINALITY", {Texts(items)});
  ASSERT_EQ(rows.size(), items.size());
  for (std::size_t i = 0; i < AwkwardTexts().size(); ++i) {
    EXPECT_EQ(View(rows.At(i, 0)), AwkwardTexts()[i]);
  }
  EXPECT_EQ(rows.At(items.size() - 1, 0).type, IQ_TEXT);
  EXPECT_EQ(View(rows.At(items.size() - 1, 0)), "");
}

TEST_F(Postgres, GivesIntegerArraysBack) {
  const auto session = Open();
  const std::vector<std::int64_t> items = {3, -1, std::numeric_limits<std::int64_t>::min()};
  const Rows rows = Ask(*session, "SELECT unnest($1::bigint[])", {Ints(items)});
  ASSERT_EQ(rows.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(rows.At(i, 0).u.i64, items[i]);
  const std::vector<std::int64_t> none;
  EXPECT_EQ(Ask(*session, "SELECT unnest($1::bigint[])", {Ints(none)}).size(), 0U);
}

TEST_F(Postgres, GivesEveryByteBack) {
  const auto session = Open();
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  const Rows rows = Ask(*session, "SELECT $1::bytea, length($1::bytea)", {Bytes(bytes)});
  EXPECT_EQ(rows.At(0, 0).type, IQ_BYTES);
  EXPECT_EQ(View(rows.At(0, 0)), bytes);
  EXPECT_EQ(rows.At(0, 1).u.i64, 256);
}

TEST_F(Postgres, GivesOtherTypesAsText) {
  const auto session = Open();
  const Rows rows = Ask(
      *session, "SELECT 12.340::numeric, '{\"a\": 1}'::jsonb, '2024-01-02 03:04+00'::timestamptz");
  EXPECT_EQ(View(rows.At(0, 0)), "12.340");
  EXPECT_EQ(View(rows.At(0, 1)), "{\"a\": 1}");
  EXPECT_EQ(View(rows.At(0, 2)), "2024-01-02 03:04:00+00");
}

TEST_F(Postgres, RowsOutliveTheSession) {
  Rows rows;
  {
    const auto session = Open();
    rows = Ask(*session, "SELECT $1::text, '\\x0102'::bytea", {Text("kept")});
  }
  EXPECT_EQ(View(rows.At(0, 0)), "kept");
  EXPECT_EQ(View(rows.At(0, 1)), "\x01\x02");
}

TEST_F(Postgres, RefusesANulByteInsteadOfCuttingTheTextShort) {
  const auto session = Open();
  session->Begin();
  const auto error = Thrown<StoreError>([&] { Insert(*session, 1, "a\0b"s); });
  EXPECT_EQ(error.code(), "22021");
  EXPECT_THROW(session->Commit(), StoreError);
  EXPECT_EQ(CountItems(), "0");
}

TEST_F(Postgres, SurvivesMoreParametersThanTheProtocolHas) {
  const auto session = Open();
  const std::vector<iq_value> many(70000, Int(1));
  EXPECT_THROW(Ask(*session, "SELECT 1", many), StoreError);
  session->Begin();
  EXPECT_THROW(Ask(*session, "SELECT 2", many), StoreError);
  session->Rollback();
  EXPECT_EQ(Ask(*session, "SELECT 3::int").At(0, 0).u.i64, 3);
}

TEST_F(Postgres, AWrongNumberOfParametersIsTheStatementsFault) {
  const auto session = Open();
  for (const std::vector<iq_value>& args :
       {std::vector<iq_value>{}, std::vector<iq_value>{Int(1), Int(2)}}) {
    session->Begin();
    Ask(*session, "SELECT 1");
    const auto error = Thrown<StoreError>([&] { Ask(*session, "SELECT $1::bigint", args); });
    EXPECT_EQ(error.kind(), Kind::kStatement);
    session->Rollback();
  }
  EXPECT_EQ(Ask(*session, "SELECT $1::bigint", {Int(1)}).At(0, 0).u.i64, 1);
}

TEST_F(Postgres, CommitMakesEverythingVisibleAtOnce) {
  const auto session = Open();
  session->Begin();
  EXPECT_TRUE(session->InTransaction());
  Insert(*session, 1);
  EXPECT_EQ(Ask(*session, "SELECT count(*) FROM item").At(0, 0).u.i64, 1);
  EXPECT_TRUE(session->InTransaction());
  Insert(*session, 2);
  EXPECT_EQ(CountItems(), "0");
  session->Commit();
  EXPECT_EQ(CountItems(), "2");
  EXPECT_FALSE(session->InTransaction());
}

TEST_F(Postgres, RollbackLeavesNothing) {
  const auto session = Open();
  session->Rollback();
  session->Begin();
  session->Rollback();
  session->Begin();
  Insert(*session, 1);
  session->Rollback();
  session->Rollback();
  EXPECT_FALSE(session->InTransaction());
  EXPECT_EQ(Ask(*session, "SELECT count(*) FROM item").At(0, 0).u.i64, 0);
}

TEST_F(Postgres, ADestroyedSessionLeavesNothing) {
  {
    const auto session = Open();
    session->Begin();
    Insert(*session, 1);
    Ask(*session, "SELECT 1");
  }
  EXPECT_EQ(CountItems(), "0");
}

TEST_F(Postgres, AnExecutedStatementsErrorShowsAtTheNextQuery) {
  const auto session = Open();
  session->Begin();
  Insert(*session, 1);
  session->Execute("INSERT INTO item VALUES ('no number')", {});
  Insert(*session, 2);
  const auto error = Thrown<StoreError>([&] { Ask(*session, "SELECT 1"); });
  EXPECT_EQ(error.kind(), Kind::kStatement);
  EXPECT_EQ(error.code(), "22P02");
  EXPECT_FALSE(session->InTransaction());
  session->Rollback();
  session->Begin();
  Insert(*session, 3);
  session->Commit();
  EXPECT_EQ(database().Value("SELECT string_agg(id::text, ',') FROM item"), "3");
}

TEST_F(Postgres, AnExecutedStatementsErrorShowsAtCommit) {
  const auto session = Open();
  session->Begin();
  Insert(*session, 1);
  Insert(*session, 1);
  Insert(*session, 2);
  const auto error = Thrown<StoreError>([&] { session->Commit(); });
  EXPECT_EQ(error.kind(), Kind::kDuplicate);
  EXPECT_EQ(error.constraint(), "item_key");
  EXPECT_EQ(CountItems(), "0");
  session->Begin();
  Insert(*session, 1);
  session->Commit();
  EXPECT_EQ(CountItems(), "1");
}

TEST_F(Postgres, AFailedTransactionCanOnlyBeRolledBack) {
  const auto session = Open();
  session->Begin();
  Insert(*session, 1);
  EXPECT_THROW(Ask(*session, "SELECT 1/0"), StoreError);
  EXPECT_THROW(Ask(*session, "SELECT 1"), StoreError);
  EXPECT_THROW(Insert(*session, 2), StoreError);
  EXPECT_EQ(Thrown<StoreError>([&] { session->Commit(); }).code(), "22012");
  EXPECT_EQ(CountItems(), "0");
}

TEST_F(Postgres, ErrorsCarryTheMessageButNotTheDetail) {
  const auto session = Open();
  database().Exec("INSERT INTO item VALUES (4711)");
  session->Begin();
  Insert(*session, 4711);
  const auto error = Thrown<StoreError>([&] { session->Commit(); });
  EXPECT_THAT(error.what(), HasSubstr("duplicate key value"));
  EXPECT_THAT(error.what(), HasSubstr("23505"));
  EXPECT_THAT(error.what(), Not(HasSubstr("4711")));
}

TEST_F(Postgres, ADeferredConstraintFailsAtCommit) {
  database().Exec(
      "CREATE TABLE part (item bigint CONSTRAINT part_of REFERENCES item DEFERRABLE INITIALLY "
      "DEFERRED)");
  const auto session = Open();
  session->Begin();
  session->Execute("INSERT INTO part VALUES (9)", {});
  EXPECT_EQ(Ask(*session, "SELECT count(*) FROM part").At(0, 0).u.i64, 1);
  const auto error = Thrown<StoreError>([&] { session->Commit(); });
  EXPECT_EQ(error.code(), "23503");
  EXPECT_EQ(database().Value("SELECT count(*) FROM part"), "0");
  EXPECT_EQ(Ask(*session, "SELECT 1::int").At(0, 0).u.i64, 1);
}

TEST_F(Postgres, OneOfTwoDeadlockedTransactionsGetsAConflict) {
  database().Exec("INSERT INTO item VALUES (1), (2)");
  constexpr std::string_view kUpdate = "UPDATE item SET text = 'x' WHERE id = $1";
  const auto first = Open();
  const auto second = Open();
  first->Begin();
  second->Begin();
  Ask(*first, kUpdate, {Int(1)});
  Ask(*second, kUpdate, {Int(2)});
  const auto conflicts = [&](Session& session, std::int64_t id) {
    try {
      Ask(session, kUpdate, {Int(id)});
      session.Commit();
      return 0;
    } catch (const StoreError& error) {
      session.Rollback();
      return error.kind() == Kind::kConflict && error.code() == "40P01" ? 1 : 100;
    }
  };
  auto other = std::async(std::launch::async, [&] { return conflicts(*first, 2); });
  const int here = conflicts(*second, 1);
  EXPECT_EQ(here + other.get(), 1);
}

TEST_F(Postgres, ALockThatIsNotFreedInTimeIsAConflict) {
  const auto holder = Open();
  holder->Begin();
  Ask(*holder, "LOCK TABLE item");
  const auto waiter = Open(300ms);
  waiter->Begin();
  const auto error = Thrown<StoreError>([&] { Ask(*waiter, "SELECT * FROM item"); });
  EXPECT_EQ(error.kind(), Kind::kConflict);
  EXPECT_EQ(error.code(), "55P03");
}

TEST_F(Postgres, ASerializationFailureIsAConflict) {
  const auto session = Open();
  const auto error = Thrown<StoreError>([&] {
    session->RunScript("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$");
  });
  EXPECT_EQ(error.kind(), Kind::kConflict);
}

TEST_F(Postgres, AStatementThatRunsTooLongIsADeadline) {
  const auto session = Open(200ms);
  session->Begin();
  const auto error = Thrown<StoreError>([&] { Ask(*session, "SELECT pg_sleep(30)"); });
  EXPECT_EQ(error.kind(), Kind::kDeadline);
  session->Rollback();
  EXPECT_EQ(Ask(*session, "SELECT 1::int").At(0, 0).u.i64, 1);
}

// Each is short enough; together they are not.
TEST_F(Postgres, AStatementIsCancelledAtTheCallersDeadline) {
  const auto session = Open();
  const auto began = std::chrono::steady_clock::now();
  session->SetDeadline(began + 2s);
  session->Begin();
  Insert(*session, 1);
  Ask(*session, "SELECT pg_sleep(0.4)");
  EXPECT_EQ(Thrown<StoreError>([&] { Ask(*session, "SELECT pg_sleep(10)"); }).kind(),
            Kind::kDeadline);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 8s);
  session->SetDeadline(std::chrono::steady_clock::time_point::max());
  session->Rollback();
  session->Begin();
  Insert(*session, 2);
  Ask(*session, "SELECT pg_sleep(0.5)");
  session->Commit();
  EXPECT_EQ(database().Value("SELECT string_agg(id::text, ',') FROM item"), "2");
}

TEST_F(Postgres, AStatementThatEndsTheTransactionIsNoticed) {
  for (const char* const statement :
       {"COMMIT", "ROLLBACK", "END", "ABORT", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"}) {
    const auto session = Open();
    session->Begin();
    Ask(*session, statement);
    EXPECT_FALSE(session->InTransaction()) << statement;
    EXPECT_EQ(Thrown<StoreError>([&] { session->Commit(); }).code(), "2D000") << statement;
    session->Begin();
    session->Execute(statement, {});
    EXPECT_EQ(Thrown<StoreError>([&] { session->Commit(); }).code(), "2D000") << statement;
    EXPECT_EQ(Ask(*session, "SELECT 1::int").At(0, 0).u.i64, 1);
  }
}

TEST_F(Postgres, AFailedPrepareIsTriedAnew) {
  const auto session = Open();
  constexpr std::string_view kSelect = "SELECT count(*) FROM part";
  EXPECT_THROW(Ask(*session, kSelect), StoreError);
  session->Begin();
  session->Execute("INSERT INTO item VALUES ('no number')", {});
  EXPECT_THROW(Ask(*session, kSelect), StoreError);  // Skipped by the server after the error.
  session->Rollback();
  database().Exec("CREATE TABLE part ()");
  EXPECT_EQ(Ask(*session, kSelect).At(0, 0).u.i64, 0);
}

TEST_F(Postgres, APreparedStatementOutlivesAChangeOfItsTable) {
  const auto session = Open();
  constexpr std::string_view kSelect = "SELECT * FROM item";
  EXPECT_EQ(Ask(*session, kSelect).columns, 2U);
  database().Exec("ALTER TABLE item ADD COLUMN more text");
  EXPECT_THROW(Ask(*session, kSelect), StoreError);
  EXPECT_EQ(Ask(*session, kSelect).columns, 3U);
}

TEST_F(Postgres, PreparesEachStatementOnceAndNotWithoutLimit) {
  const auto session = Open();
  for (int i = 0; i < 3; ++i) Ask(*session, "SELECT 1");
  constexpr std::string_view kCount = "SELECT count(*) FROM pg_prepared_statements";
  EXPECT_EQ(Ask(*session, kCount).At(0, 0).u.i64, 2);
  for (int i = 0; i < 1100; ++i) {
    EXPECT_EQ(Ask(*session, fmt::format("SELECT {}::int", i)).At(0, 0).u.i64, i);
  }
  EXPECT_EQ(Ask(*session, kCount).At(0, 0).u.i64, 1000);
}

TEST_F(Postgres, ManyLargeExecutesNeitherDeadlockNorGetLost) {
  const auto session = Open();
  const std::string large(20000, 'x');
  session->Begin();
  for (std::int64_t id = 0; id < 2000; ++id) {
    session->Execute("INSERT INTO item VALUES ($1, $2) RETURNING repeat(text, 5)",
                     Args({Int(id), Text(large)}));
  }
  session->Commit();
  EXPECT_EQ(database().Value("SELECT count(*) || ' ' || sum(length(text)) FROM item"),
            "2000 40000000");
}

TEST_F(Postgres, BothSidesMaySendMoreThanTheBuffersHoldAtTheSameTime) {
  const auto session = Open();
  const std::string huge(32U << 20U, 'x');
  session->Begin();
  session->Execute("SELECT repeat('x', 64000000)", {});  // Keeps the server from reading on.
  session->Execute("SELECT $1::text", Args({Text(huge)}));
  session->Execute("SELECT $1::text", Args({Text(huge)}));
  const Rows rows = Ask(*session, "SELECT $1::text", {Text(huge)});
  EXPECT_EQ(View(rows.At(0, 0)).size(), huge.size());
  session->Commit();
}

TEST_F(Postgres, CountsWhatMayHaveChangedSomething) {
  database().Exec("INSERT INTO item VALUES (1)");
  const auto session = Open();
  session->Begin();
  const auto writes = [&](std::string_view sql) {
    const auto before = session->writes();
    Ask(*session, sql);
    return session->writes() - before;
  };
  EXPECT_EQ(writes("SELECT * FROM item"), 0U);
  EXPECT_EQ(writes("  -- why\n /* so */ select text FROM item WHERE id = 1 FOR UPDATE"), 0U);
  EXPECT_EQ(writes("UPDATE item SET text = '' WHERE id = 99"), 0U);
  EXPECT_EQ(writes("DELETE FROM item WHERE id = 99 RETURNING id"), 0U);
  EXPECT_EQ(writes("INSERT INTO item VALUES (1) ON CONFLICT DO NOTHING"), 0U);
  EXPECT_EQ(writes("UPDATE item SET text = '' WHERE id = 1"), 1U);
  EXPECT_EQ(writes("INSERT INTO item VALUES (2) RETURNING id"), 1U);
  EXPECT_EQ(writes("DELETE FROM item WHERE id = 2"), 1U);
  EXPECT_EQ(writes("SELECT count(*) FROM item"), 1U);
  EXPECT_EQ(writes("SELECT id INTO TEMPORARY scratch FROM item"), 1U);
  EXPECT_EQ(writes("WITH gone AS (DELETE FROM item) SELECT 1"), 1U);
  EXPECT_EQ(writes("VALUES (1)"), 1U);
  const auto before = session->writes();
  session->Execute("SELECT 1", {});
  EXPECT_EQ(session->writes(), before + 1);
}

TEST_F(Postgres, RunsScriptsInsideAndOutsideOfTransactions) {
  const auto session = Open();
  session->RunScript("CREATE TABLE part (id int); INSERT INTO part VALUES (1); SELECT 1;");
  session->Begin();
  Insert(*session, 1);
  session->RunScript("INSERT INTO part VALUES (2); INSERT INTO item VALUES (2)");
  EXPECT_TRUE(session->InTransaction());
  EXPECT_EQ(Ask(*session, "SELECT count(*) FROM part").At(0, 0).u.i64, 2);
  session->Rollback();
  EXPECT_EQ(database().Value("SELECT count(*) FROM part"), "1");
  EXPECT_EQ(CountItems(), "0");
}

TEST_F(Postgres, AScriptTellsHowManyRowsItChanged) {
  const auto session = Open();
  EXPECT_EQ(session->RunScript("INSERT INTO item VALUES (1), (2), (3); SELECT * FROM item;"
                               "UPDATE item SET text = 'x' WHERE id > 1; CREATE TABLE part ();"
                               "DELETE FROM item WHERE id = 9; DELETE FROM item WHERE id = 1"),
            6U);
}

TEST_F(Postgres, AScriptsErrorNamesTheLineAndUndoesTheWholeScript) {
  const auto session = Open();
  const auto error = Thrown<StoreError>([&] {
    session->RunScript("INSERT INTO item VALUES (1);\n\n-- ä\nINSERT INTO nowhere VALUES (1);\n");
  });
  EXPECT_EQ(error.code(), "42P01");
  EXPECT_THAT(error.what(), HasSubstr("line 4"));
  EXPECT_EQ(CountItems(), "0");
  session->Begin();
  EXPECT_THROW(session->RunScript("SELECT 1/0"), StoreError);
  EXPECT_THROW(session->Commit(), StoreError);
  EXPECT_EQ(Ask(*session, "SELECT 1::int").At(0, 0).u.i64, 1);
}

TEST_F(Postgres, ScriptsMayRunLongerThanStatements) {
  const auto session = Open(100ms);
  session->RunScript("SELECT pg_sleep(0.4)");
  session->Begin();
  session->RunScript("SELECT pg_sleep(0.4)");
  session->Commit();
  EXPECT_EQ(Thrown<StoreError>([&] { Ask(*session, "SELECT pg_sleep(5)"); }).kind(),
            Kind::kDeadline);
}

TEST_F(Postgres, AScriptThatEndsTheTransactionIsNoticed) {
  const auto session = Open();
  session->Begin();
  session->RunScript("INSERT INTO item VALUES (1); COMMIT;");
  EXPECT_FALSE(session->InTransaction());
  EXPECT_THROW(session->Commit(), StoreError);
}

TEST_F(Postgres, SessionSettingsDoNotDependOnTheRole) {
  database().Exec(
      "ALTER ROLE iq SET synchronous_commit = off; ALTER ROLE iq SET bytea_output = escape;"
      "ALTER ROLE iq SET default_transaction_isolation = serializable");
  const auto session = Open(10s);
  session->RunScript("SELECT 1");
  database().Exec("ALTER ROLE iq RESET ALL");
  const auto setting = [&](std::string_view name) {
    return std::string(View(Ask(*session, "SELECT current_setting($1)", {Text(name)}).At(0, 0)));
  };
  EXPECT_EQ(setting("synchronous_commit"), "on");
  EXPECT_EQ(setting("statement_timeout"), "10s");
  EXPECT_EQ(setting("lock_timeout"), "9s");
  EXPECT_EQ(setting("idle_in_transaction_session_timeout"), "70s");
  EXPECT_EQ(setting("transaction_isolation"), "read committed");
  EXPECT_EQ(setting("application_name"), "iq");
  EXPECT_EQ(View(Ask(*session, "SELECT '\\x00ff'::bytea").At(0, 0)), "\x00\xff"s);
}

TEST(PostgresUrl, NamesTheServerAndNothingElse) {
  const auto name = [](const char* url) { return OpenStore(url)->name(); };
  EXPECT_EQ(name("postgresql://u:secret@db.example:5433/iq"), "postgresql at db.example:5433");
  EXPECT_EQ(name("postgres://db.example/iq"), "postgresql at db.example:5432");
  EXPECT_EQ(name("postgresql://u@[::1]:5432/iq"), "postgresql at [::1]:5432");
  EXPECT_EQ(name("postgresql://u@a:1,b:2/iq"), "postgresql at a:1,b:2");
  EXPECT_EQ(name("postgresql:///iq"), "postgresql at localhost:5432");
}

TEST(PostgresUrl, IsRefusedWithTheMendAndWithoutItsPassword) {
  for (const char* const url :
       {"", "mysql://u:secret@h/d", "/tmp/secret", "postgresql://u:se%zzcret@h/d",
        "postgresql://u:secret@h:1/d?nonsense=secret", "postgresql://u:x/secret@h:1/d",
        "postgresql://u:x@secret@h:1/d"}) {
    const auto error = Thrown<UsageError>([&] { OpenStore(url); });
    EXPECT_THAT(error.what(), HasSubstr("postgresql://USER:PASSWORD@HOST:PORT/DATABASE"));
    EXPECT_THAT(error.what(), Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace iq
