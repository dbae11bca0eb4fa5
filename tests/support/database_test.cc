#include "tests/support/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/shared_servers.h"

namespace iq::test {
namespace {

using testing::ElementsAre;

TEST(Database, RowsAreTextAndNullIsToldFromEmpty) {
  Database database(TestServers().store_url());
  EXPECT_THAT(database.Rows("SELECT * FROM (VALUES (1, $1::text, $2::text), (2, 'b', '')) AS v",
                            {"a", std::nullopt}),
              ElementsAre(ElementsAre("1", "a", "NULL"), ElementsAre("2", "b", "")));
}

TEST(Database, ValueWantsExactlyOneCell) {
  Database database(TestServers().store_url());
  EXPECT_EQ(database.Value("SELECT count(*) FROM generate_series(1, 3)"), "3");
  EXPECT_THROW(database.Value("SELECT 1 WHERE false"), DatabaseError);
  EXPECT_THROW(database.Value("SELECT 1, 2"), DatabaseError);
}

TEST(Database, FailureCarriesTheSqlState) {
  Database database(TestServers().store_url());
  try {
    database.Exec("SELECT 1/0");
    FAIL() << "division by zero went through";
  } catch (const DatabaseError& error) {
    EXPECT_EQ(error.code(), "22012");
  }
  EXPECT_EQ(database.Value("SELECT 1"), "1");
}

TEST(Database, ConnectsAgainAfterALoss) {
  Database database(TestServers().store_url());
  const std::string backend = database.Value("SELECT pg_backend_pid()");
  Database(TestServers().store_url()).Value("SELECT pg_terminate_backend($1::int)", {backend});
  EXPECT_THROW(database.Value("SELECT 1"), DatabaseError);
  EXPECT_NE(database.Value("SELECT pg_backend_pid()"), backend);
}

}  // namespace
}  // namespace iq::test
