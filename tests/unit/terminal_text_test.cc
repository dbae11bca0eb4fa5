#include "host/base/terminal_text.h"

#include <gtest/gtest.h>

namespace iq {
namespace {

TEST(OneLine, EscapesTheControlsThatTerminalsObey) {
  EXPECT_EQ(OneLine("a\tb\x7f\xC2\x9B"
                    "31m\xC3\xA9"),
            "a\\x09b\\x7f\\x9b31m\xC3\xA9");
}

TEST(ManyLines, LeavesNewlinesAndTabs) { EXPECT_EQ(ManyLines("a\n\tb\r\x1b"), "a\n\tb\\x0d\\x1b"); }

}  // namespace
}  // namespace iq
