// What the SQLite driver does when the file, its disk or its process lets it down.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "host/base/log.h"
#include "tests/integration/faulty_disk.h"
#include "tests/integration/sqlite_fixture.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class SqliteLoss : public Sqlite {
 protected:
  // What becomes of a transaction that inserts one row: "done", or the error's type and text.
  static std::string Add(Session& session, std::int64_t id) {
    try {
      session.Begin();
      Insert(session, id);
      session.Commit();
      return "done";
    } catch (const CommitUnknown& error) {
      return std::string("unknown: ") + error.what();
    } catch (const Unavailable& error) {
      session.Rollback();
      return std::string("unavailable: ") + error.what();
    }
  }
};

TEST_F(SqliteLoss, AFullDiskAtCommitLeavesNothingAndIsUnavailable) {
  test::FaultyDisk disk;
  const auto session = Open();
  EXPECT_EQ(Add(*session, 1), "done");
  disk.WritesAnswer(SQLITE_FULL);
  EXPECT_THAT(Add(*session, 2), AllOf(HasSubstr("unavailable"), HasSubstr(file().string()),
                                      HasSubstr("free some space")));
  EXPECT_GT(session->UntilNextAttempt(), 0ms);
  EXPECT_THAT(Add(*session, 2), HasSubstr("unavailable"));
  disk.WritesAnswer(SQLITE_OK);
  ASSERT_TRUE(Recovers(*session));
  EXPECT_EQ(CountItems(), 1);
  EXPECT_EQ(Add(*session, 2), "done");
  EXPECT_EQ(CountItems(), 2);
}

TEST_F(SqliteLoss, AFullDiskBeforeTheCommitIsUnavailableToo) {
  test::FaultyDisk disk;
  const auto session = Open();
  session->Begin();
  Insert(*session, 1);
  disk.WritesAnswer(SQLITE_FULL);
  const std::string large(1U << 20U, 'x');
  EXPECT_THROW(
      {
        for (std::int64_t id = 2; id < 50; ++id) Insert(*session, id, large);
      },
      Unavailable);
  EXPECT_FALSE(session->InTransaction());
  EXPECT_THROW(Insert(*session, 50), Unavailable) << "the transaction is gone";
  EXPECT_THROW(session->Commit(), Unavailable);
  disk.WritesAnswer(SQLITE_OK);
  ASSERT_TRUE(Recovers(*session));
  EXPECT_EQ(CountItems(), 0);
}

TEST_F(SqliteLoss, ACommitThatTheDiskFailedIsUnknownAndTheNextAttemptDecides) {
  test::FaultyDisk disk;
  const auto session = Open();
  disk.SyncsAnswer(SQLITE_IOERR_FSYNC);
  EXPECT_THAT(Add(*session, 1), AllOf(HasSubstr("unknown"), HasSubstr(file().string())));
  disk.SyncsAnswer(SQLITE_OK);
  ASSERT_TRUE(Recovers(*session));
  try {
    EXPECT_EQ(Add(*session, 1), "done");
  } catch (const StoreError& error) {
    EXPECT_EQ(error.kind(), StoreError::Kind::kDuplicate);
  }
  EXPECT_EQ(CountItems(), 1);
}

TEST_F(SqliteLoss, AReadOnlyFileIsUnavailableAndNamesTheMend) {
  test::FaultyDisk disk;
  disk.OpensForReadingOnly(true);
  const auto session = Open();
  EXPECT_THAT(Add(*session, 1), AllOf(HasSubstr("unavailable"), HasSubstr(file().string()),
                                      HasSubstr("let the host's user write")));
  disk.OpensForReadingOnly(false);
  ASSERT_TRUE(Recovers(*session));
  EXPECT_EQ(Add(*session, 1), "done");
}

TEST_F(SqliteLoss, AFileThatWasMovedAwayIsNeitherWrittenNorMadeAnew) {
  const auto session = Open();
  EXPECT_EQ(Add(*session, 1), "done");
  fs::rename(folder(), folder().string() + ".away");
  EXPECT_THAT(Add(*session, 2), AllOf(HasSubstr("unavailable"), HasSubstr("moved or removed")));
  EXPECT_FALSE(fs::exists(folder()));
  fs::rename(folder().string() + ".away", folder());
  ASSERT_TRUE(Recovers(*session));
  EXPECT_EQ(Add(*session, 2), "done");
  EXPECT_EQ(CountItems(), 2);
}

TEST_F(SqliteLoss, AFileThatWasMovedAwayFromItsLogIsNotMadeAnewByAnybody) {
  const fs::path away = folder() / "away.db";
  const fs::path log = file().string() + "-wal";
  const auto session = Open();
  ASSERT_EQ(Add(*session, 1), "done");
  fs::rename(file(), away);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto other = Open();
    EXPECT_THAT(Thrown<Unavailable>([&] { Ask(*other, "SELECT 1"); }).what(),
                AllOf(HasSubstr(attempt == 0 ? "missing" : "empty"), HasSubstr(log.string()),
                      HasSubstr("put it back")));
    EXPECT_GT(fs::file_size(log), 0U);
    std::ofstream(file()).close();  // As somebody would who takes it for new.
  }
  fs::rename(away, file());
  EXPECT_EQ(CountItems(), 1);
}

TEST_F(SqliteLoss, AFileBehindALinkThatWasMovedAwayFromItsLogIsNotMadeAnewEither) {
  const fs::path link = folder() / "link.db";
  fs::create_symlink("iq.db", link);
  const auto session = Open();
  ASSERT_EQ(Add(*session, 1), "done");
  fs::rename(file(), folder() / "away.db");
  const auto other = OpenStore("sqlite:" + link.string())->Open(kLong);
  EXPECT_THROW(Ask(*other, "SELECT 1"), Unavailable);
  fs::rename(folder() / "away.db", file());
  EXPECT_EQ(CountItems(), 1);
}

TEST_F(SqliteLoss, WhatRunsOutOfMemoryIsTheStatementsOwnFailure) {
  const auto session = Open();
  ASSERT_EQ(Add(*session, 1), "done");
  const auto limit = sqlite3_hard_heap_limit64(sqlite3_memory_used() + 8'000'000);
  const auto error = ErrorOf(*session, "SELECT randomblob(50000000)");
  sqlite3_hard_heap_limit64(limit);
  EXPECT_EQ(error.kind(), StoreError::Kind::kStatement);
  EXPECT_EQ(error.code(), "53200");
  EXPECT_EQ(Add(*session, 2), "done");
}

// What a statement puts aside would go to another disk.
TEST_F(SqliteLoss, AFullTemporaryDirectoryHoldsUpNobody) {
  const auto session = Open();
  ASSERT_EQ(Add(*session, 1), "done");
  const auto former_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit former{};
  getrlimit(RLIMIT_FSIZE, &former);
  rlimit none = former;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_FSIZE, &none);
  EXPECT_NO_THROW(
      Ask(*session,
          "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
          "SELECT count(*) FROM (SELECT randomblob(200) AS r FROM n ORDER BY r LIMIT -1 OFFSET "
          "1)"));
  setrlimit(RLIMIT_FSIZE, &former);
  std::signal(SIGXFSZ, former_handler);
}

// The sweeper's claim normally matches no row.
TEST_F(SqliteLoss, AnOutageEndsWithAWriteThatMatchesNoRow) {
  const auto session = Open();
  log::Start(log::Level::kInfo, log::Format::kText);
  testing::internal::CaptureStderr();
  for (int outage = 0; outage < 2; ++outage) {
    ASSERT_EQ(Number(*session, "SELECT 1"), 1);
    fs::rename(folder(), folder().string() + ".away");
    EXPECT_THROW(Ask(*session, "SELECT 1"), Unavailable);
    fs::rename(folder().string() + ".away", folder());
    EXPECT_TRUE(Recovers(*session));
    Ask(*session, "DELETE FROM item WHERE id = 99");
  }
  log::Start(log::Level::kError, log::Format::kText);
  const std::string text = testing::internal::GetCapturedStderr();
  const auto first = text.find(" is back after ");
  ASSERT_NE(first, std::string::npos) << text;
  EXPECT_NE(text.find(" is back after ", first + 1), std::string::npos) << text;
}

TEST_F(SqliteLoss, AFileThatIsMovedInMidTransactionIsNotCommittedTo) {
  const auto session = Open();
  session->Begin();
  Insert(*session, 1);
  fs::rename(folder(), folder().string() + ".away");
  EXPECT_THROW(session->Commit(), Unavailable);
  EXPECT_FALSE(session->InTransaction());
  EXPECT_THROW(Ask(*session, "SELECT 1"), Unavailable);
  EXPECT_FALSE(fs::exists(folder()));
  fs::rename(folder().string() + ".away", folder());
  ASSERT_TRUE(Recovers(*session));
  EXPECT_EQ(CountItems(), 0);
}

TEST_F(SqliteLoss, WhatIsNoDatabaseIsUnavailableAndNamed) {
  std::ofstream(folder() / "text.db") << std::string(5000, 'x');
  for (const fs::path& path : {folder(), folder() / "text.db", folder() / "text.db" / "iq.db"}) {
    const auto session = OpenStore("sqlite:" + path.string())->Open(kLong);
    const auto error = Thrown<Unavailable>([&] { Ask(*session, "SELECT 1"); });
    EXPECT_THAT(error.what(), HasSubstr(path.string()));
    EXPECT_GT(session->UntilNextAttempt(), 0ms);
  }
}

TEST_F(SqliteLoss, AProcessKilledInMidTransactionLeavesNothing) {
  const Signal wrote;
  ForkedProcess process([&] {
    const auto session = Open();
    session->Begin();
    const std::string large(1U << 20U, 'x');  // More than stays in memory.
    for (std::int64_t id = 0; id < 50; ++id) Insert(*session, id, large);
    Ask(*session, "SELECT 1");
    wrote.Give();
    while (true) pause();
  });
  wrote.Await();
  process.Kill9();
  const auto session = Open();
  EXPECT_EQ(Number(*session, "SELECT count(*) FROM item"), 0);
  EXPECT_EQ(Add(*session, 1), "done");
  EXPECT_EQ(CountItems(), 1);
}

// As long as the driver is patient, which makes this a slow test.
TEST_F(SqliteLoss, AFileInUseForTooLongIsUnavailableUntilItIsFree) {
  const Signal holds;
  ForkedProcess process([&] {
    const auto session = Open();
    session->Begin();
    holds.Give();
    while (true) pause();
  });
  holds.Await();
  const auto session = Open();
  EXPECT_EQ(Number(*session, "SELECT count(*) FROM item"), 0) << "who reads need not wait";
  EXPECT_THAT(Add(*session, 1), AllOf(HasSubstr("unavailable"), HasSubstr("another process")));
  process.Kill9();
  ASSERT_TRUE(Recovers(*session));
  EXPECT_EQ(Add(*session, 1), "done");
}

}  // namespace
}  // namespace iq
