// Migrations against a real PostgreSQL and a real file: applied once, wholly, and by one host at a
// time.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
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

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const fs::path kShipped = fs::path(IQ_SOURCE_DIR) / "sql";

std::vector<std::string> Names(const std::vector<Migration>& migrations) {
  std::vector<std::string> names;
  names.reserve(migrations.size());
  for (const Migration& migration : migrations) {
    names.push_back(migration.folder + "/" + migration.name);
  }
  return names;
}

std::string Read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A folder of migrations of the test's own.
class MigrationFiles : public testing::Test {
 protected:
  MigrationFiles() : root_(fs::temp_directory_path() / fmt::format("iq-migrations-{}", getpid())) {
    fs::remove_all(root_);
    Write("iq/001_note.sql", "CREATE TABLE note (id int);");
    Write("billing/001_ledger.sql", "CREATE TABLE ledger (id int);");
  }
  ~MigrationFiles() override { fs::remove_all(root_); }

  void Write(const std::string& file, const std::string& sql) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << sql;
  }
  void Remove(const std::string& file) { fs::remove(root_ / file); }

  const fs::path& root() const { return root_; }

 private:
  fs::path root_;
};

// And an empty database.
class Migrations : public MigrationFiles, public testing::WithParamInterface<StoreKind> {
 protected:
  std::vector<std::string> ApplyAll(const fs::path& root) {
    std::vector<Migration> applied;
    const auto session = database_.Open();
    Apply(*session, root, suffix(), [&](const Migration& each) { applied.push_back(each); });
    return Names(applied);
  }
  std::vector<std::string> ApplyAll() { return ApplyAll(root()); }

  std::vector<std::string> PendingNames() {
    const auto session = database_.Open();
    return Names(Pending(*session, root(), suffix()));
  }

  // What Apply says is wrong with the files.
  std::string Complaint() {
    const auto error = Thrown<UsageError>([&] { ApplyAll(); });
    return error.what();
  }

  // In the order in which they were applied.
  std::vector<std::string> Recorded() {
    std::vector<std::string> names;
    const std::string order = database_.is_sqlite() ? "rowid" : "applied_at";
    for (const auto& row : database_.Rows("SELECT folder || '/' || name FROM " +
                                          database_.Own("migration") + " ORDER BY " + order)) {
      names.push_back(row[0]);
    }
    return names;
  }

  // A statement that runs for at least some hundred milliseconds.
  std::string SlowStatement() const {
    return database_.is_sqlite()
               ? "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) "
                 "SELECT max(i) FROM n"
               : "SELECT pg_sleep(0.5)";
  }

  std::string_view suffix() { return database_.store().dialect(); }
  StoreUnderTest& database() { return database_; }

 private:
  StoreUnderTest database_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Stores, Migrations, kBothStores, NameOf);

TEST_P(Migrations, TheShippedOnesMakeAnEmptyDatabaseReady) {
  EXPECT_THAT(ApplyAll(kShipped), ElementsAre("iq/001_journal", "iq/002_console", "iq/003_repeats",
                                              "billing/001_balance"));
  for (const std::string& table :
       {database().Own("journal"), database().Own("worker"), database().Own("audit"),
        std::string("balance"), std::string("blocked_money"), std::string("transaction_log")}) {
    EXPECT_TRUE(database().Exists(table)) << table;
  }
  database().Open()->journal().Check();
  EXPECT_EQ(database().Value("SELECT count(*) FROM " + database().Own("migration") +
                             " WHERE length(sha256) = 64"),
            "4");
}

TEST_P(Migrations, TheShippedOnesKeepTablesThatStandAlready) {
  database().Open()->RunScript(
      "CREATE TABLE balance (user_id bigint PRIMARY KEY, sum bigint NOT NULL);"
      "INSERT INTO balance VALUES (7, 7000)");
  ApplyAll(kShipped);
  EXPECT_EQ(database().Value("SELECT sum FROM balance WHERE user_id = 7"), "7000");
}

TEST_P(Migrations, TheShippedTablesRefuseWhatTheContractForbids) {
  ApplyAll(kShipped);
  EXPECT_THROW(database().Exec("INSERT INTO balance VALUES (1, -1)"), test::DatabaseError);
  const auto session = database().Open();
  NewJournalRow row;
  row.command_id = "a";
  row.events = "[]";
  row.payload_hash = "00";
  for (const char* const outcome : {"done", "rejected", "failed"}) {
    row.uuid = fmt::format("00000000-0000-0000-0000-00000000000{}", outcome[0] == 'd' ? 1 : 2);
    row.outcome = outcome;
    session->Begin();
    session->journal().Insert({{row}}, "00000000-0000-0000-0000-000000000000", 1);
    if (row.outcome == "failed") {
      EXPECT_EQ(Thrown<StoreError>([&] { session->Commit(); }).code(), "23514");
    } else {
      session->Commit();
    }
  }
  database().Exec(
      "INSERT INTO transaction_log (type, sum, user_id, details) VALUES (1, 2, 3, '{}')");
  EXPECT_EQ(database().Value("SELECT count(*) FROM transaction_log WHERE created_at IS NOT NULL"),
            "1");
}

TEST_P(Migrations, TheSecondTimeNothingHappens) {
  EXPECT_THAT(ApplyAll(), ElementsAre("iq/001_note", "billing/001_ledger"));
  EXPECT_THAT(PendingNames(), IsEmpty());
  EXPECT_THAT(ApplyAll(), IsEmpty());
  EXPECT_THAT(Recorded(), ElementsAre("iq/001_note", "billing/001_ledger"));
}

TEST_P(Migrations, NewOnesAreAppliedInTheOrderOfTheirNumbers) {
  ApplyAll();
  Write("iq/003_more.sql", "ALTER TABLE note ADD more2 int; ALTER TABLE note DROP more");
  Write("iq/002_more.sql", "ALTER TABLE note ADD more int CHECK (more > 0)");
  EXPECT_THAT(PendingNames(), ElementsAre("iq/002_more", "iq/003_more"));
  EXPECT_THAT(ApplyAll(), ElementsAre("iq/002_more", "iq/003_more"));
}

TEST_P(Migrations, ADryRunChangesNothing) {
  EXPECT_THAT(PendingNames(), ElementsAre("iq/001_note", "billing/001_ledger"));
  EXPECT_FALSE(database().Exists(database().Own("migration")));
  EXPECT_FALSE(database().Exists("note"));
}

TEST_P(Migrations, TenHostsAtOnceApplyEachOfThemOnce) {
  constexpr int kHosts = 10;
  // Long enough for all to wait for the first, and longer than a statement may take.
  Write("iq/002_slow.sql", SlowStatement() + "; INSERT INTO note VALUES (1)");
  std::atomic<int> applied = 0;
  std::latch together(kHosts);
  std::vector<std::thread> hosts;
  hosts.reserve(kHosts);
  for (int host = 0; host < kHosts; ++host) {
    hosts.emplace_back([&] {
      const auto session = database().Open(std::chrono::milliseconds(200));
      together.arrive_and_wait();
      EXPECT_NO_THROW(Apply(*session, root(), suffix(), [&](const Migration&) { ++applied; }));
    });
  }
  for (std::thread& host : hosts) host.join();
  EXPECT_EQ(applied, 3);
  EXPECT_EQ(database().Value("SELECT count(*) FROM note"), "1");
  if (database().is_sqlite()) return;
  EXPECT_EQ(database().Value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
}

TEST_P(Migrations, AnAppliedFileThatChangedIsRefused) {
  ApplyAll();
  Write("iq/001_note.sql", "CREATE TABLE note (id bigint);");
  EXPECT_THAT(Complaint(), AllOf(HasSubstr("iq/001_note.sql"), HasSubstr("restore it")));
  EXPECT_THROW(PendingNames(), UsageError);
}

TEST_P(Migrations, AnAppliedFileThatIsGoneIsRefused) {
  Write("iq/002_more.sql", "ALTER TABLE note ADD more int");
  ApplyAll();
  Remove("iq/002_more.sql");
  EXPECT_THAT(Complaint(), AllOf(HasSubstr("iq/002_more.sql"), HasSubstr("restore it")));
}

TEST_P(Migrations, GapsAndRepeatedNumbersAreRefused) {
  Write("iq/003_later.sql", "SELECT 1");
  EXPECT_THAT(Complaint(), AllOf(HasSubstr("iq/003_later.sql"), HasSubstr("must be 002")));
  Remove("iq/003_later.sql");
  Write("billing/001_zother.sql", "SELECT 1");
  EXPECT_THAT(Complaint(), AllOf(HasSubstr("billing/001_zother.sql"), HasSubstr("twice")));
  EXPECT_FALSE(database().Exists("note"));
}

TEST_P(Migrations, OddNamesAndMissingFoldersAreRefused) {
  Write("iq/notes.txt", "not a migration");
  EXPECT_THAT(PendingNames(), SizeIs(2));
  for (const char* const odd : {"iq/2_more.sql", "iq/02a_more.sql", "iq/0002_more.sql",
                                "iq/002more.sql", "iq/002_.sql", "iq/002_A.sql"}) {
    Write(odd, "SELECT 1");
    EXPECT_THAT(Complaint(), AllOf(HasSubstr(odd), HasSubstr("NNN_name.sql")));
    Remove(odd);
  }
  fs::remove_all(root() / "iq");
  EXPECT_THAT(Complaint(), HasSubstr((root() / "iq").string()));
}

TEST_P(Migrations, AFailingOneLeavesNothingBehindAndIsNamed) {
  Write("iq/002_bad.sql", "CREATE TABLE half (id int);\nINSERT INTO nowhere VALUES (1);");
  const auto error = Thrown<StoreError>([&] { ApplyAll(); });
  EXPECT_EQ(error.code(), "42P01");
  EXPECT_THAT(error.what(), AllOf(HasSubstr("iq/002_bad.sql"), HasSubstr("line 2"),
                                  AnyOf(HasSubstr("\"nowhere\" does not exist"),
                                        HasSubstr("no such table: nowhere"))));
  EXPECT_FALSE(database().Exists("half"));
  EXPECT_THAT(Recorded(), ElementsAre("iq/001_note"));
  Write("iq/002_bad.sql", "CREATE TABLE note2 (id int); DROP TABLE note2");
  EXPECT_THAT(ApplyAll(), ElementsAre("iq/002_bad", "billing/001_ledger"));
}

TEST_P(Migrations, OneThatEndsItsTransactionIsRefused) {
  for (const char* const ending : {"COMMIT;", "ROLLBACK", "INSERT INTO note VALUES (1); END"}) {
    Write("iq/002_bad.sql", ending);
    EXPECT_THAT(Complaint(), AllOf(HasSubstr("iq/002_bad.sql"), HasSubstr("COMMIT")));
    EXPECT_THAT(Recorded(), ElementsAre("iq/001_note"));
  }
}

TEST_P(Migrations, SeedingTwiceIsSeedingOnce) {
  ApplyAll(kShipped);
  const std::string own = "seed" + std::string(suffix());
  const std::string seed = Read(kShipped / (fs::exists(kShipped / own) ? own : "seed.sql"));
  const auto session = database().Open();
  const auto balances = [&] {
    return database().Rows("SELECT user_id, sum FROM balance ORDER BY user_id");
  };
  database().Exec("INSERT INTO balance VALUES (7, 4711)");
  EXPECT_EQ(session->RunScript(seed), 198U);
  const auto once = balances();
  EXPECT_EQ(session->RunScript(seed), 0U);
  EXPECT_EQ(balances(), once);
  EXPECT_EQ(database().Value("SELECT count(*) FROM balance WHERE user_id BETWEEN 1 AND 199"
                             " AND sum BETWEEN 0 AND 1000000 AND sum % 1000 = 0"),
            "198");
  EXPECT_EQ(database().Value("SELECT sum FROM balance WHERE user_id = 7"), "4711");
  EXPECT_NE(database().Value("SELECT count(DISTINCT sum) FROM balance"), "1");
}

TEST_F(MigrationFiles, TheOtherDialectsFileStandsInWhereThereIsOne) {
  Write("iq/001_note.sqlite.sql", "CREATE TABLE note (id integer);");
  EXPECT_EQ(ReadMigrations(root(), ".sql")[0].sql, "CREATE TABLE note (id int);");
  const auto other = ReadMigrations(root(), ".sqlite.sql");
  EXPECT_THAT(Names(other), ElementsAre("iq/001_note", "billing/001_ledger"));
  EXPECT_EQ(other[0].sql, "CREATE TABLE note (id integer);");
  EXPECT_EQ(other[0].file, (root() / "iq/001_note.sqlite.sql").string());
  EXPECT_EQ(other[1].sql, "CREATE TABLE ledger (id int);");
  Write("iq/002_alone.sqlite.sql", "SELECT 1");
  EXPECT_THROW(ReadMigrations(root(), ".sql"), UsageError);
}

TEST_F(MigrationFiles, ChecksumsAreThoseOfTheFile) {
  Write("iq/001_note.sql", "abc");
  EXPECT_EQ(ReadMigrations(root(), ".sql")[0].sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace iq
