// The record of acts on both stores: begun, ended once, and listed the newest first.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "host/base/rfc3339.h"
#include "host/migrations.h"
#include "host/store/audit_table.h"
#include "tests/integration/store_under_test.h"

namespace iq {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::int64_t> Ids(const std::vector<AuditRow>& rows) {
  std::vector<std::int64_t> ids;
  for (const AuditRow& row : rows) ids.push_back(row.id);
  return ids;
}

class AuditRows : public testing::TestWithParam<StoreKind> {
 protected:
  AuditRows() {
    Apply(*session_, std::filesystem::path(IQ_SOURCE_DIR) / "sql", database_.store().dialect(),
          [](const Migration&) {});
  }

  std::int64_t Begin(const std::string& action, const std::string& about) {
    return audit().Begin({"ann", action, about, R"({"a": 1})"});
  }
  AuditTable& audit() { return session_->audit(); }

 private:
  StoreUnderTest database_{GetParam()};
  std::unique_ptr<Session> session_ = database_.Open();
};

INSTANTIATE_TEST_SUITE_P(Stores, AuditRows, kBothStores, NameOf);

TEST_P(AuditRows, AnActIsThereBeforeItIsDone) {
  const std::int64_t id = audit().Begin({"ann 'ü\"", "edit", "a message", R"({"a": ["\\", "ü"]})"});
  const auto rows = audit().List({}, 10);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].id, id);
  EXPECT_TRUE(ParseRfc3339(rows[0].at)) << rows[0].at;
  EXPECT_EQ(rows[0].who, "ann 'ü\"");
  EXPECT_EQ(rows[0].action, "edit");
  EXPECT_EQ(rows[0].about, "a message");
  EXPECT_EQ(rows[0].detail, R"({"a": ["\\", "ü"]})");
  EXPECT_EQ(rows[0].state, "begun");
  EXPECT_EQ(rows[0].result, "");
  EXPECT_EQ(rows[0].ended_at, "");
}

TEST_P(AuditRows, AnActEndsOnce) {
  const std::int64_t id = Begin("retry", "");
  const std::int64_t other = Begin("drop", "");
  audit().End(id, "failed", "the broker went away");
  audit().End(id, "done", "");
  const auto rows = audit().List({}, 10);
  ASSERT_THAT(Ids(rows), ElementsAre(other, id));
  EXPECT_EQ(rows[0].state, "begun");
  EXPECT_EQ(rows[1].state, "failed");
  EXPECT_EQ(rows[1].result, "the broker went away");
  EXPECT_GE(rows[1].ended_at, rows[1].at);
  EXPECT_EQ(rows[1].about, "");
}

TEST_P(AuditRows, AreListedTheNewestFirstAPageAtATime) {
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Begin("send", fmt::format("{}", i)));
  EXPECT_THAT(Ids(audit().List({}, 2)), ElementsAre(ids[4], ids[3]));
  EXPECT_THAT(Ids(audit().List(ids[3], 2)), ElementsAre(ids[2], ids[1]));
  EXPECT_THAT(Ids(audit().List(ids[1], 2)), ElementsAre(ids[0]));
  EXPECT_THAT(audit().List(ids[0], 2), IsEmpty());
}

TEST_P(AuditRows, AreFoundByTheMessageThatTheyAreAbout) {
  const std::int64_t first = Begin("edit", "one");
  Begin("edit", "another");
  Begin("seed", "");
  const std::int64_t second = Begin("drop", "one");
  EXPECT_THAT(Ids(audit().About("one", 10)), ElementsAre(second, first));
  EXPECT_THAT(Ids(audit().About("one", 1)), ElementsAre(second));
  EXPECT_THAT(audit().About("", 10), IsEmpty());
}

TEST_P(AuditRows, HaveNoStatesAndActionsButTheirOwn) {
  EXPECT_THROW(Begin("look", ""), StoreError);
  const std::int64_t id = Begin("stop", "");
  EXPECT_THROW(audit().End(id, "over", ""), StoreError);
  EXPECT_EQ(audit().List({}, 1).at(0).state, "begun");
}

}  // namespace
}  // namespace iq
