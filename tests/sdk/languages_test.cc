// The same plugin by each compiler and of each release: greet.c tells what it does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iq/testkit.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace iq::test {
namespace {

using testing::SizeIs;
using testkit::Outcome;
using testkit::SqlFault;

std::vector<std::string> Plugins() {
  std::istringstream list(IQ_GREET_PLUGINS);
  std::vector<std::string> plugins;
  for (std::string each; std::getline(list, each, ':');) plugins.push_back(each);
  return plugins;
}

class LanguagesTest : public testing::TestWithParam<std::string> {
 protected:
  static std::string Ended(const Outcome& outcome) {
    return outcome.code.empty() ? outcome.outcome : outcome.outcome + " " + outcome.code;
  }
  Outcome Greet(const std::string& name) {
    return host_.Send(R"({"type":"test.greet","name":")" + name + R"("})");
  }
  std::string Greeted() {
    return host_.Query("SELECT coalesce(group_concat(name), '') FROM greeted").at(0).at(0).value();
  }

  testkit::Host host_{
      {.plugins = {GetParam()}, .schema = {"CREATE TABLE greeted (name text PRIMARY KEY)"}}};
};

INSTANTIATE_TEST_SUITE_P(Every, LanguagesTest, testing::ValuesIn(Plugins()),
                         [](const auto& instance) {
                           return std::filesystem::path(instance.param).stem().string();
                         });

TEST_P(LanguagesTest, ACommandTakesEffect) {
  const Outcome outcome = Greet("Ada");
  EXPECT_EQ(Ended(outcome), "done") << outcome.reason;
  ASSERT_THAT(outcome.events, SizeIs(1));
  EXPECT_EQ(outcome.events[0].name, "test.greeted");
  EXPECT_EQ(outcome.events[0].data, R"({"greeted":1,"name":"Ada"})");
  EXPECT_EQ(Greeted(), "Ada");
}

TEST_P(LanguagesTest, AHandlerKeepsItsOwnState) {
  Greet("Ada");
  EXPECT_EQ(Greet("Grace").events.at(0).data, R"({"greeted":2,"name":"Grace"})");
}

TEST_P(LanguagesTest, ARefusalHasItsCodeAndReason) {
  Greet("Ada");
  const Outcome second = Greet("Ada");
  EXPECT_EQ(Ended(second), "rejected already_greeted");
  EXPECT_EQ(second.reason, "one greeting is enough");
}

TEST_P(LanguagesTest, ARedeliveryIsAnsweredAsBefore) {
  const std::string id = Greet("Ada").events.at(0).id;
  EXPECT_EQ(host_.Redeliver().events.at(0).id, id);
}

TEST_P(LanguagesTest, ThePlanRefusesWhatTheSchemaCannotSay) {
  const Outcome outcome = Greet("nobody");
  EXPECT_EQ(Ended(outcome), "invalid schema");
  EXPECT_EQ(outcome.reason, "nobody is not greeted");
}

TEST_P(LanguagesTest, TheSchemaIsChecked) {
  EXPECT_EQ(Ended(host_.Send(R"({"type":"test.greet","name":7})")), "invalid schema");
}

TEST_P(LanguagesTest, TheLockIsTaken) {
  host_.HoldLock("greet:Ada");
  EXPECT_EQ(Ended(Greet("Ada")), "retry lock_busy");
  host_.ReleaseLocks();
  EXPECT_EQ(Ended(Greet("Ada")), "done");
}

TEST_P(LanguagesTest, AFailedStatementLeavesNothingBehind) {
  host_.FailSql("INSERT INTO greeted");
  EXPECT_EQ(Ended(Greet("Ada")), "failed sql_error");
  host_.FailSql("SELECT name", SqlFault::kConflict);
  EXPECT_EQ(Ended(Greet("Ada")), "done");
  EXPECT_EQ(Greeted(), "Ada");
}

TEST_P(LanguagesTest, AFaultOfTheHandlerIsItsCommandsAlone) {
  EXPECT_EQ(Greet("fault").outcome, "failed");
  EXPECT_EQ(Ended(Greet("Ada")), "done");
}

}  // namespace
}  // namespace iq::test
