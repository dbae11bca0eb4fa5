// The plugin itself, in a host within this process, on a database of its own.
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <iq/testkit.h>

namespace {

using iq::testkit::Rows;

constexpr const char* kBody = R"({"type":"@name@","userId":2})";

std::string Read(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class @Name@Test : public testing::Test {
 protected:
  iq::testkit::Host host_{{.plugins = {PLUGIN_FILE}, .schema = {Read(TABLES_FILE)}}};
};

TEST_F(@Name@Test, CountsAndSaysSo) {
  const iq::testkit::Outcome outcome = host_.Send(kBody);
  EXPECT_EQ(outcome.outcome, "done") << outcome.code << ": " << outcome.reason;
  ASSERT_EQ(outcome.events.size(), 1U);
  EXPECT_EQ(outcome.events[0].name, "@name@.counted");
  EXPECT_EQ(outcome.events[0].data, R"({"times":1,"userId":2})");
  EXPECT_EQ(host_.Query("SELECT user_id, times FROM @name@_visits"), (Rows{{"2", "1"}}));
}

TEST_F(@Name@Test, ARedeliveryCountsOnce) {
  host_.Send(kBody);
  EXPECT_EQ(host_.Redeliver().outcome, "done");
  EXPECT_EQ(host_.Query("SELECT times FROM @name@_visits"), (Rows{{"1"}}));
}

TEST_F(@Name@Test, RefusesTheFourthTimeAndChangesNothing) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(host_.Send(kBody).outcome, "done");
  const iq::testkit::Outcome outcome = host_.Send(kBody);
  EXPECT_EQ(outcome.outcome, "rejected");
  EXPECT_EQ(outcome.code, "too_often");
  EXPECT_EQ(host_.Query("SELECT times FROM @name@_visits"), (Rows{{"3"}}));
}

TEST_F(@Name@Test, WaitsForTheUsersLock) {
  host_.HoldLock("user:2");
  EXPECT_EQ(host_.Send(kBody).code, "lock_busy");
  host_.ReleaseLocks();
  EXPECT_EQ(host_.Send(kBody).outcome, "done");
}

TEST_F(@Name@Test, AsksForAUser) {
  EXPECT_EQ(host_.Send(R"({"type":"@name@"})").code, "schema");
}

}  // namespace
