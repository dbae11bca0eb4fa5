#include "host/schema.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace iq {
namespace {

using nlohmann::json;

TEST(Schema, NamesThePlaceOfTheFault) {
  const Schema schema(R"({"properties":{"details":{"properties":{"uuid":{"type":"string"}}}}})");
  EXPECT_FALSE(schema.Fault(json{{"details", {{"uuid", "a"}}}}));
  const auto fault = schema.Fault(json{{"details", {{"uuid", 7}}}});
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->rfind("details.uuid: ", 0), 0U) << *fault;
}

TEST(Schema, AMissingMemberIsNamed) {
  const auto fault = Schema(R"({"required":["userId"]})").Fault(json::object());
  ASSERT_TRUE(fault);
  EXPECT_NE(fault->find("userId"), std::string::npos) << *fault;
}

TEST(Schema, PatternsHold) {
  const Schema schema(
      R"({"properties":{"sum":{"type":["integer","string"],"pattern":"^[0-9]+$"}}})");
  EXPECT_FALSE(schema.Fault(json{{"sum", "123"}}));
  EXPECT_FALSE(schema.Fault(json{{"sum", 123}}));
  EXPECT_TRUE(schema.Fault(json{{"sum", "12x"}}));
}

TEST(Schema, AVeryLongStringFailsItsPatternInsteadOfOverflowingTheStack) {
  const Schema schema(R"({"properties":{"sum":{"pattern":"^([0-9]|x)+$"}}})");
  EXPECT_FALSE(schema.Fault(json{{"sum", std::string(Schema::kPatternCharactersMax, '1')}}));
  EXPECT_TRUE(schema.Fault(json{{"sum", std::string(16 * 1024 * 1024, '1')}}));
}

TEST(Schema, APropertyNamedPatternIsNoPattern) {
  const Schema schema(
      R"({"properties":{"pattern":{"type":"integer"}},"examples":[{"pattern":"("}]})");
  EXPECT_FALSE(schema.Fault(json{{"pattern", 1}}));
  EXPECT_TRUE(schema.Fault(json{{"pattern", "x"}}));
}

TEST(Schema, WhatIsNoSchemaIsRefused) {
  EXPECT_THROW(Schema("not json"), std::invalid_argument);
  EXPECT_THROW(Schema("[]"), std::invalid_argument);
  EXPECT_THROW(Schema(R"({"type":"nonsense"})"), std::invalid_argument);
}

}  // namespace
}  // namespace iq
