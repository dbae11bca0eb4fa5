#include "tests/e2e/embedded_profile.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <regex>

#include "host/locks/locks.h"
#include "tests/e2e/embedded_broker.h"
#include "tests/support/sqlite_file.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;

class SqliteStore : public TestStore {
 public:
  explicit SqliteStore(const std::string& path) : file_(path) {}

  std::vector<std::vector<Row>> Snapshot(const std::vector<std::string>& queries) override {
    std::vector<std::vector<Row>> answers;
    answers.reserve(queries.size());
    file_.Exec("BEGIN");
    for (const std::string& query : queries) answers.push_back(Rows(query));
    file_.Exec("COMMIT");
    return answers;
  }

  std::size_t Tables() override {
    return std::stoul(
        Value("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('balance', "
              "'blocked_money', 'transaction_log', 'iq_audit', 'iq_journal', 'iq_worker', "
              "'iq_migration')"));
  }

  void AgeJournal(std::int64_t age_s) override {
    Rows(
        "UPDATE iq.journal SET committed_at = strftime('%Y-%m-%dT%H:%M:%f000Z', committed_at, '-' "
        "|| $1 || ' seconds')",
        {std::to_string(age_s)});
  }

  // A writer would keep us from writing, and time is given to one that is just committing.
  bool Idle() override {
    file_.Exec("BEGIN IMMEDIATE; ROLLBACK");
    return true;
  }

 private:
  std::vector<Row> Run(const std::string& sql, const Parameters& parameters) override {
    static const std::regex own_table(R"(\biq\.(\w+))");
    return file_.Rows(std::regex_replace(sql, own_table, "iq_$1"), parameters);
  }

  SqliteFile file_;
};

class LocalLock : public ForeignLock {
 public:
  LocalLock(const std::string& path, const std::string& key)
      : keys_{LockKeys{key}}, service_(OpenLocks("local:" + path, 1h)), locks_(service_->Open()) {
    EXPECT_TRUE(locks_->TryAcquire(keys_).front());
  }

  bool Held() override { return !service_->Open()->TryAcquire(keys_).front(); }

 private:
  std::array<LockKeys, 1> keys_;
  std::unique_ptr<LockService> service_;
  std::unique_ptr<Locks> locks_;
};

class EmbeddedProfile : public Profile {
 public:
  explicit EmbeddedProfile(const std::string& directory)
      : file_(directory + "/var/iq.db"), locks_(directory + "/var/iq.locks") {}

  void Clear() override {}  // Each installation has a new directory.
  Urls urls() const override { return {}; }
  std::size_t hosts_max() const override { return 4; }

  std::unique_ptr<TestBroker> OpenBroker() override {
    return std::make_unique<EmbeddedBroker>(file_);
  }
  std::unique_ptr<TestStore> OpenStore() override { return std::make_unique<SqliteStore>(file_); }
  std::unique_ptr<ForeignLock> HoldLock(const std::string& key) override {
    return std::make_unique<LocalLock>(locks_, key);
  }

 private:
  std::string file_;
  std::string locks_;
};

}  // namespace

std::unique_ptr<Profile> OpenEmbeddedProfile(const std::string& directory) {
  return std::make_unique<EmbeddedProfile>(directory);
}

}  // namespace iq::test
