#include "host/outgoing_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "host/payload.h"
#include "host/signature.h"

namespace iq {
namespace {

using testing::HasSubstr;

TEST(IdInBody, IsTheTopLevelText) {
  EXPECT_EQ(IdInBody(R"({"id":"a","details":{"id":"b"}})"), "a");
  EXPECT_EQ(IdInBody(R"({"details":{"id":"b"}})"), "");
  EXPECT_EQ(IdInBody(R"({"id":7})"), "");
}

TEST(IdInBody, IsNotTakenWhereAmqpCannotCarryIt) {
  const std::string longest(kIdBytesMax, 'x');
  EXPECT_EQ(IdInBody(R"({"id":")" + longest + "\"}"), longest);
  EXPECT_EQ(IdInBody(R"({"id":")" + longest + "x\"}"), "");
}

TEST(IdInBody, ThrowsForWhatIsNoCommand) {
  EXPECT_THROW(IdInBody("[1]"), PayloadError);
  EXPECT_THROW(IdInBody(R"({"a":1,"a":2})"), PayloadError);
  EXPECT_THROW(IdInBody("{"), PayloadError);
}

TEST(IdForBody, IsItsOwnOrANewOne) {
  EXPECT_EQ(IdForBody(R"({"id":"a"})"), "a");
  EXPECT_EQ(IdForBody("{}").size(), 36U);
  EXPECT_NE(IdForBody("{}"), IdForBody("{}"));
}

TEST(IdFault, IsWhatAmqpDoesNotCarryAndWhatCannotBeSigned) {
  const SecurityConfig keyed{.keys = {"key"}};
  EXPECT_EQ(IdFault("", keyed), std::nullopt);
  EXPECT_EQ(IdFault(std::string(kIdBytesMax, 'x'), keyed), std::nullopt);
  EXPECT_THAT(IdFault(std::string(kIdBytesMax + 1, 'x'), {}).value_or(""), HasSubstr("255 bytes"));
  EXPECT_THAT(IdFault("a\nb", keyed).value_or(""), HasSubstr("line feed"));
  EXPECT_EQ(IdFault("a\nb", {}), std::nullopt);
}

TEST(MakeCommand, IsAMessageOfNow) {
  const auto now = static_cast<std::uint64_t>(
      std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
  const Message message = MakeCommand("{}", "a", {});
  EXPECT_EQ(message.body, "{}");
  EXPECT_EQ(message.message_id, "a");
  EXPECT_EQ(message.content_type, "application/json");
  EXPECT_GE(message.timestamp_s.value_or(0), now);
  EXPECT_TRUE(message.headers.empty());
}

TEST(MakeCommand, IsSignedWithTheFirstKey) {
  const SecurityConfig security{.require_signature = true, .keys = {"new", "old"}};
  const Message message = MakeCommand("{}", "a", security);
  ASSERT_TRUE(message.headers.contains(kSignatureHeader));
  EXPECT_EQ(SignatureFault(message, {.require_signature = true, .keys = {"new"}}), std::nullopt);
}

}  // namespace
}  // namespace iq
