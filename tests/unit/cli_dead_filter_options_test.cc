#include "host/cli/dead_filter_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "host/base/error.h"

namespace iq::cli {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr DeadFilter::Time kNow = std::chrono::sys_days{std::chrono::year{2024} / 1 / 31} + 12h;

// What these words on the command line mean.
DeadFilter Parsed(const std::vector<std::string>& words) {
  CLI::App app;
  DeadFilterOptions options;
  options.AddTo(app);
  app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  return options.Read(kNow);
}

std::string Refusal(const std::vector<std::string>& words) {
  try {
    Parsed(words);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "none";
}

TEST(DeadFilterOptions, TakeOneWordEach) {
  const DeadFilter filter = Parsed({"--code", "a", "--code", "b", "--type", "lock"});
  EXPECT_THAT(filter.codes, ElementsAre("a", "b"));
  EXPECT_THAT(filter.types, ElementsAre("lock"));
  EXPECT_THROW(Parsed({"--code", "a", "b"}), CLI::ParseError) << "b is no code";
}

TEST(DeadFilterOptions, ReadTimesAndDurationsAgo) {
  EXPECT_EQ(Parsed({"--since", "2h"}).since, kNow - 2h);
  EXPECT_EQ(Parsed({"--until", "7d"}).until, kNow - 168h);
  EXPECT_EQ(Parsed({"--since", "2024-01-31T13:00:00+01:00"}).since, kNow);
  EXPECT_LT(Parsed({"--since", "106751991167d"}).since, kNow - 24h * 365 * 900);
  EXPECT_FALSE(Parsed({"--since", "0s"}).empty());
}

TEST(DeadFilterOptions, RefuseWhatIsNoTime) {
  for (const char* word : {"yesterday", "2024-01-31", "2", "-2h", "2 h"}) {
    const std::string refusal = Refusal({std::string("--since=") + word});
    EXPECT_THAT(refusal, HasSubstr("--since")) << word;
    EXPECT_THAT(refusal, HasSubstr(word));
    EXPECT_THAT(refusal, HasSubstr("2h"));
  }
  EXPECT_THAT(Refusal({"--since", "1h", "--until", "2h"}), HasSubstr("--until"));
}

}  // namespace
}  // namespace iq::cli
