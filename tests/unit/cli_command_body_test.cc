#include "host/cli/command_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "host/base/error.h"

namespace iq::cli {
namespace {

std::string Body(const std::vector<std::string>& fields) { return CommandBody("income", fields); }

std::string Refusal(const std::vector<std::string>& fields) {
  try {
    Body(fields);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(CommandBody, HoldsTheTypeAlone) { EXPECT_EQ(Body({}), R"({"type":"income"})"); }

TEST(CommandBody, TakesJsonAsItIsAndOtherwiseText) {
  EXPECT_EQ(
      Body({"a=1", "b=true", "c=null", R"(d={"x":[]})", "e=[]", "f=id 2", "g=", "h=01"}),
      R"({"type":"income","a":1,"b":true,"c":null,"d":{"x":[]},"e":[],"f":"id 2","g":"","h":"01"})");
}

TEST(CommandBody, KeepsEveryDigitOfANumber) {
  EXPECT_EQ(Body({"sum=9007199254740993.123"}), R"({"type":"income","sum":9007199254740993.123})");
  EXPECT_EQ(Body({"sum=1.50"}), R"({"type":"income","sum":1.50})");
}

TEST(CommandBody, TakesAQuotedNumberAsText) {
  EXPECT_EQ(Body({R"(sum="12.345")"}), R"({"type":"income","sum":"12.345"})");
}

TEST(CommandBody, NestsAtDotsOfTheNameOnly) {
  EXPECT_EQ(Body({"details.event=lock", "userId=2", "details.uuid=a.b=c"}),
            R"({"type":"income","details":{"event":"lock","uuid":"a.b=c"},"userId":2})");
}

TEST(CommandBody, EscapesWhatJsonEscapes) {
  EXPECT_EQ(Body({R"(a"b=say "x")"}), R"({"type":"income","a\"b":"say \"x\""})");
}

TEST(CommandBody, RefusesAFieldWithoutAValue) {
  EXPECT_THAT(Refusal({"userId"}), testing::HasSubstr("userId: no value"));
}

TEST(CommandBody, RefusesAnEmptyName) {
  for (const char* field : {"=1", ".a=1", "a.=1", "a..b=1"}) {
    EXPECT_THAT(Refusal({field}), testing::HasSubstr("an empty name")) << field;
  }
}

TEST(CommandBody, RefusesWhatIsGivenTwice) {
  EXPECT_THAT(Refusal({"a=1", "a=1"}), testing::HasSubstr("a: given twice"));
  EXPECT_THAT(Refusal({"a={}", "a.b=1"}), testing::HasSubstr("a.b: given twice"));
  EXPECT_THAT(Refusal({"a.b=1", "a={}"}), testing::HasSubstr("a: given twice"));
  EXPECT_THAT(Refusal({"type=lock"}), testing::HasSubstr("type: given twice"));
}

TEST(CommandBody, RefusesBytesThatAreNoUtf8) {
  EXPECT_THAT(Refusal({"a=\xFF"}), testing::HasSubstr("a: not valid UTF-8"));
  EXPECT_THAT(Refusal({"\xFF=1"}), testing::HasSubstr("not valid UTF-8"));
}

TEST(CommandBody, DoesNotTakeAByteOrderMarkForPartOfANumber) {
  EXPECT_EQ(Body({"a=\xEF\xBB\xBF"
                  "1"}),
            "{\"type\":\"income\",\"a\":\"\xEF\xBB\xBF"
            "1\"}");
}

TEST(NumberedId, IsTheIdItselfForOneAlone) { EXPECT_EQ(NumberedId("a", 1, 1), "a"); }

TEST(NumberedId, CountsFromOneForSeveral) {
  EXPECT_EQ(NumberedId("a", 1, 2), "a-1");
  EXPECT_EQ(NumberedId("a", 2, 2), "a-2");
}

}  // namespace
}  // namespace iq::cli
