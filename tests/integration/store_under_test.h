// A database of the test's own on either store, for tests that both must pass.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/store/store.h"
#include "tests/support/database.h"
#include "tests/support/sqlite_file.h"

namespace iq {

enum class StoreKind { kPostgres, kSqlite };

// As a test's parameter is called: "Postgres" or "Sqlite".
std::string NameOf(const testing::TestParamInfo<StoreKind>& info);
inline const auto kBothStores = testing::Values(StoreKind::kPostgres, StoreKind::kSqlite);

// Begins without any of iq's and the tests' tables. The PostgreSQL server is one for the whole test
// program; the SQLite file is removed at the end. Not thread-safe, but for Open.
class StoreUnderTest {
 public:
  explicit StoreUnderTest(StoreKind kind);
  StoreUnderTest(const StoreUnderTest&) = delete;
  StoreUnderTest& operator=(const StoreUnderTest&) = delete;
  ~StoreUnderTest();

  Store& store() { return *store_; }
  std::unique_ptr<Session> Open(std::chrono::milliseconds statement_max = std::chrono::seconds(20));

  // Behind the host's back: results are text.
  std::vector<test::Database::Row> Rows(const std::string& sql);
  std::string Value(const std::string& sql);
  void Exec(const std::string& sql);

  bool Exists(const std::string& table);
  // iq's own table: "iq.NAME" or "iq_NAME".
  std::string Own(const std::string& name) const;

  bool is_sqlite() const { return kind_ == StoreKind::kSqlite; }
  // The file of SQLite.
  const std::string& file() const { return file_; }

 private:
  void ClearServer();

  StoreKind kind_;
  std::string directory_;
  std::string file_;
  std::optional<test::Database> postgres_;
  std::optional<test::SqliteFile> sqlite_;
  std::unique_ptr<Store> store_;
};

}  // namespace iq
