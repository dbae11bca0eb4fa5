#include "host/cli/dead_report.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

DeadLetter Letter(const std::string& name) {
  DeadLetter letter;
  letter.name = name;
  letter.type = "income";
  return letter;
}

// What is said on stderr, and the status, of a choice that has seen the letter "a".
std::pair<std::string, int> Report(const DeadSelection& selection) {
  DeadChoice choice(selection);
  choice.Takes(Letter("a"));
  testing::internal::CaptureStderr();
  const int status = ReportChoice(choice, "billing.dead");
  return {testing::internal::GetCapturedStderr(), status};
}

TEST(ReportChoice, SaysNothingWhereEveryNameWasMet) {
  EXPECT_EQ(Report({{"a"}, false}), std::pair(std::string(), kDone));
}

TEST(ReportChoice, FailsForANameThatWasNotMet) {
  EXPECT_EQ(Report({{"a", "b"}, false}),
            std::pair(std::string("iq: billing.dead holds no message \"b\"; see `iq dead list`\n"),
                      kFailed));
}

TEST(ReportChoice, SaysThatTheFiltersAreInTheWay) {
  EXPECT_EQ(Report({.ids = {"a"}, .filter = {.codes = {"lock_busy"}}}),
            std::pair(std::string("iq: billing.dead holds no message \"a\" that the filters let "
                                  "pass; see `iq dead list`\n"),
                      kFailed));
}

TEST(ReportChoice, SaysWhereNoneIsMeant) {
  EXPECT_EQ(Report({.ids = {}, .filter = {.types = {"lock"}}}),
            std::pair(std::string("none of the 1 in billing.dead is meant\n"), kDone));
}

TEST(GroupsTable, HasARowForEachGroup) {
  DeadGroups groups;
  groups.Add(Letter("a"));
  EXPECT_EQ(GroupsTable(groups).JsonLines(),
            R"({"code":"","type":"income","plugin":"","count":1,"first":"","last":""})"
            "\n");
  EXPECT_EQ(GroupsTable(DeadGroups()).Text(), "");
}

}  // namespace
}  // namespace iq::cli
