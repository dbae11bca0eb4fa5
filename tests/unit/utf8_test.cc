#include "host/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace iq {
namespace {

const std::string kReplaced = "\xEF\xBF\xBD";

TEST(Utf8, WhatIsValidStaysAsItIs) {
  for (const char* text : {"", "plain", "ü", "aüb\u20ACc\U0001F600", "\x01\x7F"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << text;
    EXPECT_EQ(ValidUtf8(text), text);
  }
}

TEST(Utf8, EachByteThatIsNoPartOfACharacterIsReplaced) {
  using std::string_literals::operator""s;
  for (const std::string& bad : {"\0"s, "\x80"s, "\xC3"s, "\xFF"s}) {
    for (const std::string& text : {bad, bad + "tail", "head" + bad, "head" + bad + "tail"}) {
      EXPECT_FALSE(IsValidUtf8(text));
      std::string expected = text;
      expected.replace(expected.find(bad), 1, kReplaced);
      EXPECT_EQ(ValidUtf8(text), expected);
    }
  }
  EXPECT_EQ(ValidUtf8("\xC0\xAF"), kReplaced + kReplaced);         // Overlong.
  EXPECT_EQ(ValidUtf8("a\xED\xA0\x80z").size(), 2 + 3 * 3U);       // A surrogate.
  EXPECT_EQ(ValidUtf8("a\xE2\x82"), "a" + kReplaced + kReplaced);  // Cut short.
}

}  // namespace
}  // namespace iq
