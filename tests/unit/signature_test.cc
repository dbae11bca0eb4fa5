#include "host/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cstdint>
#include <string>
#include <utility>

namespace iq {
namespace {

using ::testing::HasSubstr;

Message Carrying(std::string id, std::string body = R"({"type":"t"})") {
  Message message;
  message.message_id = std::move(id);
  message.body = std::move(body);
  return message;
}

Message SignedWith(const std::string& key, Message message) {
  message.headers[kSignatureHeader] = {SignatureOf(message, key)};
  return message;
}

// What is wrong with `message` where "one" and "two" are the keys.
std::string FaultOf(const Message& message, bool required = true) {
  return SignatureFault(message, {.require_signature = required, .keys = {"one", "two"}})
      .value_or("none");
}

// Python: hmac.new(key, message_id + b"\n" + body, hashlib.sha256).hexdigest()
TEST(Signature, IsWhatAnyLibraryComputes) {
  EXPECT_EQ(SignatureOf(Carrying("order-17"), "key one"),
            "19b233456285719abff741a7a799db31b91cbc9bbcbfb3973c8f1306d7acde89");
  EXPECT_EQ(SignatureOf(Carrying(""), "key one"),
            "6590e4173e48dc2fac7cb3a34dc6dbe62ee0074296b25ea6f3dc6c1088b71269");
  EXPECT_EQ(SignatureOf(Carrying("order-17", R"({"type":"grün"})"), std::string(100, 'k')),
            "51d2d1d7e85bd6b27d5b4e39c55181c5d4c49ffc898007588da2bfdcf82113f2");
}

TEST(Signature, OfAnyKeyIsAccepted) {
  EXPECT_EQ(FaultOf(SignedWith("one", Carrying("a"))), "none");
  EXPECT_EQ(FaultOf(SignedWith("two", Carrying("a"))), "none");
  EXPECT_THAT(FaultOf(SignedWith("three", Carrying("a"))), HasSubstr("security.keys"));
}

TEST(Signature, CoversTheIdAndTheBody) {
  const Message sent = SignedWith("one", Carrying("a"));
  Message other_id = sent;
  other_id.message_id = "b";
  EXPECT_NE(FaultOf(other_id), "none");
  Message no_id = sent;
  no_id.message_id.clear();
  EXPECT_NE(FaultOf(no_id), "none");
  Message other_body = sent;
  other_body.body += ' ';
  EXPECT_NE(FaultOf(other_body), "none");
}

// Both would have the same signature: the line feed could end the id or begin the body.
TEST(Signature, DoesNotLetTheIdGrowIntoTheBody) {
  const Message sent = SignedWith("one", Carrying("a", "\n{}"));
  EXPECT_EQ(FaultOf(sent), "none");
  Message moved = sent;
  moved.message_id = "a\n";
  moved.body = "{}";
  ASSERT_EQ(SignatureOf(moved, "one"), SignatureOf(sent, "one"));
  EXPECT_THAT(FaultOf(moved), HasSubstr("line feed"));
  EXPECT_FALSE(IsSignable(moved.message_id));
  EXPECT_TRUE(IsSignable(sent.message_id));
}

TEST(Signature, IsExactlyThoseDigits) {
  const std::string right = SignatureOf(Carrying("a"), "one");
  std::string upper = right;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  ASSERT_NE(upper, right);
  for (const HeaderValue& wrong :
       {HeaderValue{std::string()}, HeaderValue{right.substr(1)}, HeaderValue{right + "0"},
        HeaderValue{upper}, HeaderValue{std::int64_t{1}}, HeaderValue{}}) {
    Message message = Carrying("a");
    message.headers[kSignatureHeader] = wrong;
    for (const bool required : {false, true}) EXPECT_NE(FaultOf(message, required), "none");
  }
}

TEST(Signature, MayBeMissingUnlessItIsRequired) {
  EXPECT_EQ(FaultOf(Carrying("a"), false), "none");
  EXPECT_THAT(FaultOf(Carrying("a"), true), HasSubstr("no header x-iq-signature"));
}

TEST(Signature, SaysNothingWithoutKeys) {
  const Message message = SignedWith("any", Carrying("a"));
  EXPECT_FALSE(SignatureFault(message, {.require_signature = false, .keys = {}}));
  EXPECT_TRUE(SignatureFault(message, {.require_signature = true, .keys = {}}));
}

}  // namespace
}  // namespace iq
