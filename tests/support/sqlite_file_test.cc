#include "tests/support/sqlite_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>

namespace iq::test {
namespace {

using testing::ElementsAre;

class SqliteFileTest : public testing::Test {
 protected:
  SqliteFileTest() {
    std::string pattern = "/tmp/iq-sqlite-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    sqlite3* created = nullptr;
    sqlite3_open((directory_ + "/file").c_str(), &created);
    sqlite3_exec(created, "CREATE TABLE t (n INTEGER, s TEXT)", nullptr, nullptr, nullptr);
    sqlite3_close(created);
  }
  ~SqliteFileTest() override { std::filesystem::remove_all(directory_); }

  std::string path() const { return directory_ + "/file"; }

 private:
  std::string directory_;
};

TEST_F(SqliteFileTest, RowsAreTextAndNullIsToldFromEmpty) {
  SqliteFile file(path());
  file.Rows("INSERT INTO t VALUES ($1, $2), (2, '')", {"1", std::nullopt});
  EXPECT_THAT(file.Rows("SELECT n, s FROM t WHERE n >= $1 ORDER BY n", {"1"}),
              ElementsAre(ElementsAre("1", "NULL"), ElementsAre("2", "")));
}

TEST_F(SqliteFileTest, FailureCarriesTheCode) {
  SqliteFile file(path());
  try {
    file.Exec("SELECT 1 FROM nowhere");
    FAIL() << "a table that is not there was read";
  } catch (const DatabaseError& error) {
    EXPECT_EQ(error.code(), std::to_string(SQLITE_ERROR));
  }
  EXPECT_THROW(file.Rows("SELECT 1", {"of no use"}), DatabaseError);
}

TEST_F(SqliteFileTest, DoesNotMakeAFile) {
  EXPECT_THROW(SqliteFile("/tmp/iq there is no such file").Exec("SELECT 1"), DatabaseError);
}

}  // namespace
}  // namespace iq::test
