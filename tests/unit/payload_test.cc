#include "host/payload.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace iq {
namespace {

std::string CodeOf(const std::string& text) {
  try {
    Payload::Parse(text);
    return "ok";
  } catch (const PayloadError& error) {
    return error.code();
  }
}

std::string Nested(int levels) {
  std::string text = "{\"a\":";
  for (int i = 1; i < levels; ++i) text += '[';
  for (int i = 1; i < levels; ++i) text += ']';
  return text + '}';
}

iq_rc DecimalOf(const std::string& number, std::int64_t* out) {
  return Payload::Parse("{\"sum\":" + number + "}").GetDecimal("sum", 3, out);
}

std::int64_t Thousandths(const std::string& number) {
  std::int64_t out = -1;
  EXPECT_EQ(DecimalOf(number, &out), IQ_OK) << number;
  return out;
}

TEST(Payload, ReadsTheOriginalMessages) {
  EXPECT_EQ(CodeOf(R"({"type":"income","userId":2,"sum":1,"details":{}})"), "ok");
  EXPECT_EQ(CodeOf(R"({"type":"income","userId":2,"sum":1,"details":[]})"), "ok");
}

TEST(Payload, RefusesWhatIsNotOneStrictDocument) {
  using std::string_literals::operator""s;
  for (const std::string& text : {""s,
                                  " "s,
                                  "{"s,
                                  "{}x"s,
                                  "{} {}"s,
                                  "{\"a\":1,}"s,
                                  "{'a':1}"s,
                                  "{\"a\":1,\"a\":2}"s,
                                  "{\"b\":{\"a\":1,\"a\":2}}"s,
                                  "\xEF\xBB\xBF{}"s,
                                  "{}\0"s,
                                  "{\"a\":1}\0{\"a\":2}"s,
                                  "{\"a\":\"\\ud800\"}"s,
                                  "{\"a\":\"\\udc00\"}"s,
                                  "{\"a\":\"\\u0000\"}"s,
                                  "{\"\\u0000\":1}"s,
                                  "{\"a\":\"\xff\"}"s,
                                  "{\"a\":\"\xc0\xaf\"}"s,
                                  "{\"a\":NaN}"s,
                                  "{\"a\":01}"s,
                                  "{\"a\":+1}"s,
                                  "// c\n{}"s}) {
    EXPECT_EQ(CodeOf(text), "malformed") << text;
  }
}

TEST(Payload, AcceptsThirtyTwoLevelsAndRefusesOneMore) {
  EXPECT_EQ(CodeOf(Nested(32)), "ok");
  EXPECT_EQ(CodeOf(Nested(33)), "malformed");
  EXPECT_EQ(CodeOf(Nested(100'000)), "malformed");
}

TEST(Payload, WhatIsJsonButNoObjectIsASchemaFault) {
  for (const char* text : {"[]", "1", "\"a\"", "null", "{\"a\":1e400}"}) {
    EXPECT_EQ(CodeOf(text), "schema") << text;
  }
}

TEST(Payload, MoneyIsExact) {
  EXPECT_EQ(Thousandths("1"), 1000);
  EXPECT_EQ(Thousandths("12.345"), 12345);
  EXPECT_EQ(Thousandths("\"12.345\""), 12345);
  EXPECT_EQ(Thousandths("0.001"), 1);
  EXPECT_EQ(Thousandths("-0.5"), -500);
  // A binary double cannot hold these.
  EXPECT_EQ(Thousandths("9007199254740.993"), 9007199254740993);
  EXPECT_EQ(Thousandths("9223372036854775.807"), std::numeric_limits<std::int64_t>::max());
}

TEST(Payload, WhatIsNoMoneyIsRefused) {
  std::int64_t out = 7;
  for (const char* number : {"1e2", "1.2345", "12.0000", "9223372036854775.808", "\"\"", "\"1.\"",
                             "\".5\"", "\"1e2\"", "\" 1\"", "\"+1\"", "\"1,5\"", "\"0x10\"", "true",
                             "null", "[1]", "18446744073709551616", "\"99999999999999999999\""}) {
    EXPECT_EQ(DecimalOf(number, &out), IQ_E_TYPE) << number;
  }
  EXPECT_EQ(out, 7);
}

TEST(Payload, AnIntegerBeyondInt64IsNoDecimal) {
  const Payload payload = Payload::Parse(
      R"({"most":9223372036854775807,"least":-9223372036854775808,"more":18446744073709551615})");
  std::int64_t out = 0;
  ASSERT_EQ(payload.GetDecimal("most", 0, &out), IQ_OK);
  EXPECT_EQ(out, INT64_MAX);
  ASSERT_EQ(payload.GetDecimal("least", 0, &out), IQ_OK);
  EXPECT_EQ(out, INT64_MIN);
  EXPECT_EQ(payload.GetDecimal("more", 0, &out), IQ_E_TYPE);
  EXPECT_EQ(payload.GetDecimal("most", 1, &out), IQ_E_TYPE);
}

TEST(Payload, ADottedNameDoesNotLendItsDigitsToAPath) {
  const Payload payload = Payload::Parse(R"({"a":{"b":1.5},"a.b":9.9})");
  std::int64_t out = 0;
  ASSERT_EQ(payload.GetDecimal("a.b", 3, &out), IQ_OK);
  EXPECT_EQ(out, 1500);
}

TEST(Payload, DigitsAreKeptInObjectsWithinArraysToo) {
  const Payload payload =
      Payload::Parse(R"({"items":[{"price":1.5},{"price":0.001}],"bare":[1.5]})");
  std::int64_t out = 0;
  ASSERT_EQ(payload.GetDecimal("items.0.price", 3, &out), IQ_OK);
  EXPECT_EQ(out, 1500);
  ASSERT_EQ(payload.GetDecimal("items.1.price", 3, &out), IQ_OK);
  EXPECT_EQ(out, 1);
  EXPECT_EQ(payload.GetDecimal("bare.0", 3, &out), IQ_E_TYPE);
}

TEST(Payload, ValuesAreFoundByPath) {
  const Payload payload = Payload::Parse(
      R"({"n":7,"t":"x","d":{"e":[10,true,null,{"f":2.5}]},"big":9223372036854775808})");
  iq_value value{};
  ASSERT_EQ(payload.Get("n", &value), IQ_OK);
  EXPECT_EQ(value.type, IQ_INT64);
  EXPECT_EQ(value.u.i64, 7);
  ASSERT_EQ(payload.Get("d.e.3.f", &value), IQ_OK);
  EXPECT_EQ(value.type, IQ_DOUBLE);
  ASSERT_EQ(payload.Get("d.e.1", &value), IQ_OK);
  EXPECT_EQ(value.type, IQ_BOOL);
  ASSERT_EQ(payload.Get("d.e.2", &value), IQ_OK);
  EXPECT_EQ(value.type, IQ_NULL);
  ASSERT_EQ(payload.Get("d", &value), IQ_OK);
  EXPECT_EQ(std::string(value.u.s.ptr, value.u.s.len), R"({"e":[10,true,null,{"f":2.5}]})");
  ASSERT_EQ(payload.Get("big", &value), IQ_OK);
  EXPECT_EQ(value.type, IQ_DOUBLE) << "it must not pass for a negative integer";
  EXPECT_EQ(payload.Get("d.x", &value), IQ_E_NOT_FOUND);
  EXPECT_EQ(payload.Get("d.e.4", &value), IQ_E_NOT_FOUND);
  EXPECT_EQ(payload.Get("", &value), IQ_E_NOT_FOUND);
}

TEST(Payload, PhpsEmptyArrayIsAnEmptyObjectWhereItIsAskedFor) {
  Payload payload = Payload::Parse(R"({"details":[],"other":[]})");
  payload.ReadEmptyArrayAsObject("details");
  iq_value value{};
  ASSERT_EQ(payload.Get("details", &value), IQ_OK);
  EXPECT_EQ(std::string(value.u.s.ptr, value.u.s.len), "{}");
  ASSERT_EQ(payload.Get("other", &value), IQ_OK);
  EXPECT_EQ(std::string(value.u.s.ptr, value.u.s.len), "[]");
}

}  // namespace
}  // namespace iq
