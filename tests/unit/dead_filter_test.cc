#include "host/dead/dead_filter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace iq {
namespace {

using namespace std::chrono_literals;

constexpr DeadFilter::Time kNow = std::chrono::sys_days{std::chrono::year{2024} / 1 / 31} + 12h;

DeadLetter Letter(const std::string& code, const std::string& type, const std::string& at) {
  DeadLetter letter;
  letter.code = code;
  letter.type = type;
  letter.at = at;
  return letter;
}

TEST(DeadFilter, TakesEverythingWhereNothingIsSet) {
  EXPECT_TRUE(DeadFilter{}.empty());
  EXPECT_TRUE(DeadFilter{}.Takes(Letter("", "", "")));
}

TEST(DeadFilter, TakesOneOfTheCodesAndOneOfTheTypes) {
  const DeadFilter filter{.codes = {"a", "b"}, .types = {"income"}};
  EXPECT_TRUE(filter.Takes(Letter("a", "income", "")));
  EXPECT_TRUE(filter.Takes(Letter("b", "income", "")));
  EXPECT_FALSE(filter.Takes(Letter("c", "income", "")));
  EXPECT_FALSE(filter.Takes(Letter("a", "lock", "")));
}

TEST(DeadFilter, TakesOneOfThePlugins) {
  const DeadFilter filter{.plugins = {"lock/1.0.0", ""}};
  EXPECT_FALSE(filter.empty());
  DeadLetter letter;
  EXPECT_TRUE(filter.Takes(letter));
  letter.plugin = "lock/1.0.0";
  EXPECT_TRUE(filter.Takes(letter));
  letter.plugin = "lock/1.0.1";
  EXPECT_FALSE(filter.Takes(letter));
}

TEST(DeadFilter, TakesWhatDiedSinceAndUntil) {
  const DeadFilter filter{.since = kNow, .until = kNow + 1h};
  EXPECT_TRUE(filter.Takes(Letter("", "", "2024-01-31T12:00:00.000000Z")));
  EXPECT_TRUE(filter.Takes(Letter("", "", "2024-01-31T13:59:59.999999+01:00")));
  EXPECT_FALSE(filter.Takes(Letter("", "", "2024-01-31T11:59:59.999999Z")));
  EXPECT_FALSE(filter.Takes(Letter("", "", "2024-01-31T13:00:00Z")));
  EXPECT_FALSE(filter.Takes(Letter("", "", ""))) << "it does not say when";
}

}  // namespace
}  // namespace iq
