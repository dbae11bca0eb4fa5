// The shipped billing plugins on a database of the test's own, without a broker and without locks.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/bus.h"
#include "host/locks/locks.h"
#include "host/outcome.h"
#include "host/plugin_directory.h"
#include "host/store/store.h"
#include "tests/integration/billing_model.h"
#include "tests/integration/store_under_test.h"

namespace iq {

// What a worker runs commands with: handlers and a session of its own. Not thread-safe.
class BillingWorker {
 public:
  struct Ran {
    std::string reply;  // As BillingModel::Run gives it; for any other outcome, its name first.
    bool wrote = false;
  };

  BillingWorker(const PluginDirectory& directory, StoreUnderTest& database);

  // In a transaction of its own.
  Ran Run(const std::string& body);

  // In one transaction, by HandleBatch: of one type. Nothing when the batch was given up. Throws
  // std::runtime_error for a body that is not admitted.
  std::optional<std::vector<std::string>> RunBatch(const std::vector<BillingCommand>& commands);

  // In one transaction, in the groups that a batch makes of them; each of those by HandleBatch, a
  // lone one by Handle. Else as above.
  std::optional<std::vector<std::string>> RunInGroups(const std::vector<BillingCommand>& commands);

  // What the command would have to lock. Throws std::runtime_error when it is not admitted.
  LockKeys Keys(const std::string& body);

 private:
  std::unique_ptr<Command> Admitted(const std::string& body);
  std::optional<std::vector<Handled>> RunGroup(std::span<const Command* const> commands);
  bool Commit();

  Bus bus_;
  std::unique_ptr<Session> session_;
};

// Each test begins with empty tables.
class BillingPlugins : public testing::Test {
 protected:
  explicit BillingPlugins(StoreKind store, bool open_accounts = false);

  void SetUp() override;

  void Fill(const BillingTables& tables);
  BillingTables Tables();

  const PluginDirectory& directory() const { return directory_; }
  StoreUnderTest& database() { return database_; }
  BillingWorker& worker() { return worker_; }

 private:
  StoreUnderTest database_;
  PluginDirectory directory_;
  BillingWorker worker_;
};

}  // namespace iq
