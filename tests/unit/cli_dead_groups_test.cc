#include "host/cli/dead_groups.h"

#include <gtest/gtest.h>

#include <string>

#include "host/cli/dead_walk.h"

namespace iq::cli {
namespace {

DeadLetter Letter(const std::string& code, const std::string& plugin, const std::string& at) {
  DeadLetter letter;
  letter.code = code;
  letter.type = "lock";
  letter.plugin = plugin;
  letter.at = at;
  return letter;
}

TEST(DeadGroups, CountEachCodeTypeAndPluginTheLargestFirst) {
  DeadGroups groups;
  groups.Add(Letter("a", "lock/1", "2024-01-31T12:00:00Z"));
  groups.Add(Letter("b", "lock/1", "2024-01-31T12:00:00+02:00"));
  groups.Add(Letter("b", "lock/1", "2024-01-31T11:00:00Z"));
  groups.Add(Letter("b", "lock/1", ""));
  groups.Add(Letter("b", "lock/2", ""));
  EXPECT_EQ(groups.letters(), 5);
  EXPECT_EQ(groups.AsTable().JsonLines(),
            R"({"code":"b","type":"lock","plugin":"lock/1","count":3,)"
            R"("first":"2024-01-31T12:00:00+02:00","last":"2024-01-31T11:00:00Z"})"
            "\n"
            R"({"code":"a","type":"lock","plugin":"lock/1","count":1,)"
            R"("first":"2024-01-31T12:00:00Z","last":"2024-01-31T12:00:00Z"})"
            "\n"
            R"({"code":"b","type":"lock","plugin":"lock/2","count":1,"first":"","last":""})"
            "\n");
}

TEST(DeadGroups, AreNoneWithoutLetters) { EXPECT_EQ(DeadGroups().AsTable().Text(), ""); }

}  // namespace
}  // namespace iq::cli
