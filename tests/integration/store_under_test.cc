#include "tests/integration/store_under_test.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "host/base/log.h"
#include "tests/support/servers.h"

namespace iq {
namespace {

const std::string& ServerUrl() {
  static const test::Servers servers{test::Server::kPostgres};
  return servers.store_url();
}

std::string NewDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "iq-store-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
  return name;
}

}  // namespace

std::string NameOf(const testing::TestParamInfo<StoreKind>& info) {
  return info.param == StoreKind::kPostgres ? "Postgres" : "Sqlite";
}

StoreUnderTest::StoreUnderTest(StoreKind kind) : kind_(kind) {
  log::Start(log::Level::kWarn, log::Format::kText);
  if (is_sqlite()) {
    directory_ = NewDirectory();
    file_ = directory_ + "/var/iq.db";
    sqlite_.emplace(file_);
    store_ = OpenStore("sqlite:" + file_);
  } else {
    postgres_.emplace(ServerUrl());
    ClearServer();
    store_ = OpenStore(ServerUrl());
  }
}

StoreUnderTest::~StoreUnderTest() {
  sqlite_.reset();
  if (!directory_.empty()) std::filesystem::remove_all(directory_);
}

void StoreUnderTest::ClearServer() {
  postgres_->Exec(
      "DROP SCHEMA IF EXISTS iq CASCADE;"
      "DROP TABLE IF EXISTS balance, blocked_money, transaction_log, note, ledger CASCADE");
}

std::unique_ptr<Session> StoreUnderTest::Open(std::chrono::milliseconds statement_max) {
  return store_->Open(statement_max);
}

std::vector<test::Database::Row> StoreUnderTest::Rows(const std::string& sql) {
  return postgres_ ? postgres_->Rows(sql) : sqlite_->Rows(sql, {});
}

std::string StoreUnderTest::Value(const std::string& sql) {
  auto rows = Rows(sql);
  if (rows.size() != 1 || rows[0].size() != 1) throw std::runtime_error("not one value: " + sql);
  return std::move(rows[0][0]);
}

void StoreUnderTest::Exec(const std::string& sql) {
  if (postgres_) {
    postgres_->Exec(sql);
  } else {
    sqlite_->Exec(sql);
  }
}

bool StoreUnderTest::Exists(const std::string& table) {
  if (postgres_) return Value("SELECT to_regclass('" + table + "') IS NOT NULL") == "t";
  if (!std::filesystem::exists(file_)) return false;
  return Value("SELECT count(*) FROM sqlite_schema WHERE name = '" + table + "'") == "1";
}

std::string StoreUnderTest::Own(const std::string& name) const {
  return (is_sqlite() ? "iq_" : "iq.") + name;
}

}  // namespace iq
