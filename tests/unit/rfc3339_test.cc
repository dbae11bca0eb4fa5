#include "host/base/rfc3339.h"

#include <gtest/gtest.h>

#include <chrono>

namespace iq {
namespace {

using namespace std::chrono_literals;

constexpr auto kNoon = std::chrono::sys_days{std::chrono::year{2024} / 2 / 29} + 12h;

TEST(Rfc3339, IsReadAsItIsWritten) {
  const auto time = std::chrono::sys_time<std::chrono::microseconds>{1'700'000'000'123'456us};
  EXPECT_EQ(Rfc3339(time), "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(ParseRfc3339(Rfc3339(time)), time);
}

TEST(Rfc3339, TakesAnyOffsetAndAnyFraction) {
  EXPECT_EQ(ParseRfc3339("2024-02-29T12:00:00Z"), kNoon);
  EXPECT_EQ(ParseRfc3339("2024-02-29t12:00:00z"), kNoon);
  EXPECT_EQ(ParseRfc3339("2024-02-29 12:00:00Z"), kNoon);
  EXPECT_EQ(ParseRfc3339("2024-02-29T14:30:00+02:30"), kNoon);
  EXPECT_EQ(ParseRfc3339("2024-02-29T00:00:00-12:00"), kNoon);
  EXPECT_EQ(ParseRfc3339("2024-02-29T12:00:00.5Z"), kNoon + 500ms);
  EXPECT_EQ(ParseRfc3339("2024-02-29T12:00:00.0000019Z"), kNoon + 1us);
  EXPECT_EQ(ParseRfc3339("2024-02-29T11:59:60Z"), kNoon);
}

TEST(Rfc3339, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "yesterday", "2024-02-29", "2024-02-29T12:00:00", "2024-02-29T12:00Z",
        "2023-02-29T12:00:00Z", "2024-13-01T12:00:00Z", "2024-02-29T24:00:00Z",
        "2024-02-29T12:60:00Z", "2024-02-29T12:00:00.Z", "2024-02-29T12:00:00Z ",
        "2024-02-29T12:00:00+0200", "2024-02-29T12:00:00+2:00", "2024-2-29T12:00:00Z",
        "-024-02-29T12:00:00Z"}) {
    EXPECT_EQ(ParseRfc3339(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace iq
