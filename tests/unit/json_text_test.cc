#include "host/base/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace iq {
namespace {

TEST(JsonString, IsReadBackAsItWas) {
  for (const char* text : {"", "bench-1", "a b", "\"", "\\", "\x7F", "ü\u2028\U0001F600"}) {
    EXPECT_EQ(nlohmann::json::parse(JsonString(text)), text);
  }
}

// An event that was read back from the journal is written by nlohmann, and must be the same to the
// byte.
TEST(JsonString, IsWhatNlohmannWritesForEveryByte) {
  for (int byte = 0; byte <= 0xFF; ++byte) {
    const std::string text = "a" + std::string(1, static_cast<char>(byte)) + "z";
    EXPECT_EQ(JsonString(text),
              nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
        << byte;
  }
}

TEST(JsonText, KeepsTheOrderAndReplacesWhatIsNoUtf8) {
  const nlohmann::ordered_json value{{"b", "\xFF"}, {"a", 1}};
  EXPECT_EQ(JsonText(value), "{\"b\":\"\xEF\xBF\xBD\",\"a\":1}");
  EXPECT_EQ(JsonText(nlohmann::json(value), 2), "{\n  \"a\": 1,\n  \"b\": \"\xEF\xBF\xBD\"\n}");
}

}  // namespace
}  // namespace iq
