#include "host/dead/dead_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace iq {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

DeadLetter Letter(const std::string& name, const std::string& code = {}) {
  DeadLetter letter;
  letter.name = name;
  letter.hash_name = "sha:" + name;
  letter.code = code;
  return letter;
}

TEST(DeadChoice, TakesALetterByItsIdAndByItsHash) {
  DeadChoice choice({{"a", "sha:b"}, false});
  EXPECT_TRUE(choice.Takes(Letter("a")));
  EXPECT_TRUE(choice.Takes(Letter("b")));
  EXPECT_FALSE(choice.Takes(Letter("c")));
  EXPECT_TRUE(choice.has_names());
  EXPECT_FALSE(choice.has_filter());
  EXPECT_THAT(choice.unmet(), IsEmpty());
  EXPECT_EQ(choice.seen(), 3U);
  EXPECT_EQ(choice.taken(), 2U);
}

TEST(DeadChoice, NamesWhatWasNotMet) {
  DeadChoice choice({{"c", "a", "b"}, false});
  EXPECT_TRUE(choice.Takes(Letter("a")));
  EXPECT_THAT(choice.unmet(), ElementsAre("b", "c"));
}

TEST(DeadChoice, TakesWhatIsNamedAndPassesTheFilter) {
  DeadChoice choice({.ids = {"a", "b"}, .filter = {.codes = {"lock_busy"}}});
  EXPECT_TRUE(choice.Takes(Letter("a", "lock_busy")));
  EXPECT_FALSE(choice.Takes(Letter("b")));
  EXPECT_FALSE(choice.Takes(Letter("c", "lock_busy")));
  EXPECT_TRUE(choice.has_filter());
  EXPECT_THAT(choice.unmet(), ElementsAre("b"));
}

TEST(DeadChoice, TakesByTheFilterAlone) {
  DeadChoice choice({.ids = {}, .filter = {.codes = {"lock_busy"}}});
  EXPECT_FALSE(choice.Takes(Letter("a")));
  EXPECT_EQ(choice.taken(), 0U);
  EXPECT_TRUE(choice.Takes(Letter("b", "lock_busy")));
  EXPECT_FALSE(choice.has_names());
}

TEST(DeadChoice, TakesNothingWithoutAWord) {
  EXPECT_FALSE(DeadChoice(DeadSelection{}).Takes(Letter("a")));
}

TEST(DeadChoice, TakesAll) { EXPECT_TRUE(DeadChoice({{}, true}).Takes(Letter("a"))); }

}  // namespace
}  // namespace iq
