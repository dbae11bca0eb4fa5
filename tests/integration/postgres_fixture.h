// A PostgreSQL server for the tests of the driver.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/log.h"
#include "host/store/store.h"
#include "tests/integration/store_words.h"
#include "tests/support/database.h"
#include "tests/support/eventually.h"
#include "tests/support/servers.h"

namespace iq {

// Each test begins with an empty table item(id bigint primary key, text text).
class Postgres : public ::testing::Test {
 protected:
  static constexpr std::chrono::milliseconds kLong{20000};

  static void SetUpTestSuite() {
    log::Start(log::Level::kInfo, log::Format::kText);
    Shared() = std::make_unique<test::Servers>(
        std::initializer_list<test::Server>{test::Server::kPostgres});
  }
  static void TearDownTestSuite() { Shared().reset(); }

  void SetUp() override {
    database_ = std::make_unique<test::Database>(servers().store_url());
    database_->Exec(
        "DROP TABLE IF EXISTS item, part;"
        "CREATE TABLE item (id bigint CONSTRAINT item_key PRIMARY KEY, text text)");
  }

  static test::Servers& servers() { return *Shared(); }
  test::Database& database() { return *database_; }

  static std::unique_ptr<Session> Open(std::chrono::milliseconds statement_max = kLong) {
    return OpenStore(servers().store_url())->Open(statement_max);
  }

  // What `sql`, a query of one value, gives.
  static Rows Ask(Session& session, std::string_view sql, const std::vector<iq_value>& args = {}) {
    return session.Query(sql, Args(args));
  }

  static void Insert(Session& session, std::int64_t id, std::string_view text = "") {
    session.Execute("INSERT INTO item VALUES ($1, $2)", Args({Int(id), Text(text)}));
  }

  std::string CountItems() { return database().Value("SELECT count(*) FROM item"); }

  // Whether `session` answers within the time that a reconnection may take.
  static bool Recovers(Session& session) {
    return test::Eventually(std::chrono::seconds(15), [&session] {
      try {
        return Ask(session, "SELECT 1::bigint").At(0, 0).u.i64 == 1;
      } catch (const Unavailable&) {
        return false;
      }
    });
  }

 private:
  static std::unique_ptr<test::Servers>& Shared() {
    static std::unique_ptr<test::Servers> servers;
    return servers;
  }

  std::unique_ptr<test::Database> database_;
};

}  // namespace iq
