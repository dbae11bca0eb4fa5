#include "host/dead/dead_groups.h"

#include <gtest/gtest.h>

#include <string>

namespace iq {
namespace {

DeadLetter Letter(const std::string& code, const std::string& plugin, const std::string& at) {
  DeadLetter letter;
  letter.code = code;
  letter.type = "lock";
  letter.plugin = plugin;
  letter.at = at;
  return letter;
}

void ExpectGroup(const DeadGroup& group, const DeadGroup& expected) {
  EXPECT_EQ(group.code, expected.code);
  EXPECT_EQ(group.type, "lock");
  EXPECT_EQ(group.plugin, expected.plugin);
  EXPECT_EQ(group.count, expected.count);
  EXPECT_EQ(group.first, expected.first);
  EXPECT_EQ(group.last, expected.last);
}

TEST(DeadGroups, CountEachCodeTypeAndPluginTheLargestFirst) {
  DeadGroups groups;
  groups.Add(Letter("a", "lock/1", "2024-01-31T12:00:00Z"));
  groups.Add(Letter("b", "lock/1", "2024-01-31T12:00:00+02:00"));
  groups.Add(Letter("b", "lock/1", "2024-01-31T11:00:00Z"));
  groups.Add(Letter("b", "lock/1", ""));
  groups.Add(Letter("b", "lock/2", ""));
  EXPECT_EQ(groups.letters(), 5);
  const auto sorted = groups.Sorted();
  ASSERT_EQ(sorted.size(), 3U);
  ExpectGroup(sorted[0],
              {"b", "lock", "lock/1", 3, "2024-01-31T12:00:00+02:00", "2024-01-31T11:00:00Z"});
  ExpectGroup(sorted[1],
              {"a", "lock", "lock/1", 1, "2024-01-31T12:00:00Z", "2024-01-31T12:00:00Z"});
  ExpectGroup(sorted[2], {"b", "lock", "lock/2", 1, "", ""});
}

TEST(DeadGroups, AreNoneWithoutLetters) { EXPECT_TRUE(DeadGroups().Sorted().empty()); }

}  // namespace
}  // namespace iq
