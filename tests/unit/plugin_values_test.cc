// What a handler reads and writes through plugin.h: the command's fields, parameters, rows, events.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <iq/plugin.h>
#include <nlohmann/json.hpp>

#include "fake_host.h"

namespace iq_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Property;
using testing::ThrowsMessage;

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

class PluginValues : public testing::Test {
 protected:
  PluginValues()
      : raw_(NewCommand(document_)),
        host_(fake_),
        command_(fake_.functions, raw_),
        context_(host_, AsContext(record_)) {}

  FakeHost fake_;
  Document document_;
  iq_command raw_;
  Record record_;
  iq::Host host_;
  iq::Command command_;
  iq::Context context_;
};

TEST_F(PluginValues, EveryParameterTypeArrivesAsItIs) {
  context_.Execute("A", nullptr, std::nullopt, true, false, 7, 8U, kLeast, 2.5, 1.5F);
  context_.Execute("B", "literal", std::string("string"), std::string_view("a\0b", 3),
                   iq::Bytes{"\xff"}, std::optional<int>(5), std::optional<std::string>());
  context_.Execute("C");
  EXPECT_THAT(record_.statements, ElementsAre("A", "B", "C"));
  EXPECT_THAT(
      record_.arguments,
      ElementsAre("null", "null", "true", "false", "int 7", "int 8", "int -9223372036854775808",
                  "double 2.500000", "double 1.500000", "text literal", "text string",
                  std::string("text a\0b", 8), "bytes \xff", "int 5", "null"));
}

TEST_F(PluginValues, ArraysArriveAsTheyAre) {
  const std::vector<std::int64_t> numbers{1, -2};
  const std::array<std::int64_t, 1> one{3};
  const std::vector<std::string> words{"a", ""};
  const std::vector<std::string_view> views{"c d"};
  context_.Execute("A", numbers, one, std::span<const std::int64_t>(numbers).first(0), words, views,
                   std::span<const std::string>(words).first(1));
  EXPECT_THAT(record_.arguments,
              ElementsAre("ints 1 -2", "ints 3", "ints", "texts a ", "texts c d", "texts a"));
}

TEST_F(PluginValues, AnIntegerBeyondSixtyThreeBitsIsNotCutOff) {
  EXPECT_THROW(context_.Execute("A", std::numeric_limits<std::uint64_t>::max()), std::out_of_range);
  EXPECT_THAT(record_.statements, IsEmpty());
}

TEST_F(PluginValues, AFailedCallThrowsTheHostsResult) {
  record_.answer = IQ_E_CONFLICT;
  const auto is_conflict = Property(&iq::HostCallFailed::rc, IQ_E_CONFLICT);
  EXPECT_THAT([&] { context_.Execute("A"); }, testing::Throws<iq::HostCallFailed>(is_conflict));
  EXPECT_THAT([&] { (void)context_.Query("A"); }, testing::Throws<iq::HostCallFailed>(is_conflict));
  EXPECT_THAT([&] { context_.Emit("a", "{}"); }, testing::Throws<iq::HostCallFailed>(is_conflict));
}

TEST_F(PluginValues, RowsAreReadInOrder) {
  record_.rows = {{Int(1), Str("one")}, {Int(2), Str("two")}, {Int(3), Str("three")}};
  std::string seen;
  for (const iq::Row row : context_.Query("SELECT", 1)) {
    seen.append(std::to_string(row.Integer(0))).append(row.Text(1)).append(";");
  }
  EXPECT_EQ("1one;2two;3three;", seen);
}

TEST_F(PluginValues, ColumnsAreReadByType) {
  record_.rows = {{Bool(true), Double(0.5), Int(3), Str("\xff", IQ_BYTES), iq_value{}}};
  const auto row = context_.QueryOne("SELECT");
  ASSERT_TRUE(row);
  EXPECT_EQ(5U, row->size());
  EXPECT_TRUE(row->Bool(0));
  EXPECT_EQ(0.5, row->Number(1));
  EXPECT_EQ(3.0, row->Number(2));
  EXPECT_EQ(3, row->FindInteger(2));
  EXPECT_EQ("\xff", row->Bytes(3));
  EXPECT_TRUE(row->IsNull(4));
  EXPECT_EQ(std::nullopt, row->FindInteger(4));
  EXPECT_EQ(std::nullopt, row->FindText(4));
}

TEST_F(PluginValues, QueryOneGivesTheFirstRowOrNothing) {
  EXPECT_FALSE(context_.QueryOne("SELECT"));
  record_.rows = {{Int(4)}, {Int(5)}};
  EXPECT_EQ(4, context_.QueryOne("SELECT")->Integer(0));
}

TEST_F(PluginValues, AColumnOfAnotherTypeIsNamed) {
  record_.rows = {{Int(4), iq_value{}}};
  const iq::Row row = *context_.QueryOne("SELECT");
  EXPECT_THAT([&] { (void)row.Text(0); },
              ThrowsMessage<std::logic_error>("column 0 is of another type"));
  EXPECT_THAT([&] { (void)row.Integer(1); }, ThrowsMessage<std::logic_error>("column 1 is NULL"));
  EXPECT_THAT([&] { (void)row.Integer(2); }, ThrowsMessage<std::logic_error>("no column 2"));
}

TEST_F(PluginValues, EmittedTextIsEscaped) {
  std::string every;
  for (char c = 0; c < 0x7f; ++c) every += c;
  context_.Emit("event", {{"every", every}, {"quote\"key", "\"\\/"}, {"unicode", "Grüße 💶"}});
  const nlohmann::json expected{{"every", every}, {"quote\"key", "\"\\/"}, {"unicode", "Grüße 💶"}};
  EXPECT_EQ(expected, nlohmann::json::parse(record_.events.at(0).second));
}

TEST_F(PluginValues, EmittedMembersKeepTheirTypesAndOrder) {
  context_.Emit("event", {{"null", nullptr},
                          {"none", std::optional<std::int64_t>()},
                          {"true", true},
                          {"least", kLeast},
                          {"tenth", 0.1},
                          {"text", "1"},
                          {"raw", iq::RawJson{"[1, 2]"}},
                          {"nested", iq::Object({{"a", 1}})}});
  EXPECT_EQ("event", record_.events.at(0).first);
  EXPECT_EQ(R"({"null":null,"none":null,"true":true,"least":-9223372036854775808,"tenth":0.1,)"
            R"("text":"1","raw":[1, 2],"nested":{"a":1}})",
            record_.events.at(0).second);
}

TEST_F(PluginValues, AnEventMayBeTextOrHaveFewMembers) {
  context_.Emit("none", iq::Object().text());
  context_.Emit("one", {{"a", "b"}});
  context_.Emit("two", {{"a", "b"}, {"c", "d"}});
  context_.Emit("text", R"({"b":2})");
  EXPECT_THAT(record_.events,
              ElementsAre(testing::Pair("none", "{}"), testing::Pair("one", R"({"a":"b"})"),
                          testing::Pair("two", R"({"a":"b","c":"d"})"),
                          testing::Pair("text", R"({"b":2})")));
}

TEST_F(PluginValues, ANumberThatJsonCannotSayIsRefused) {
  EXPECT_THROW(context_.Emit("event", {{"x", std::numeric_limits<double>::infinity()}}),
               std::invalid_argument);
  EXPECT_THAT(record_.events, IsEmpty());
}

TEST_F(PluginValues, TheBodyIsReadByPathAndType) {
  document_.values = {{"i", Int(2)},      {"t", Str("x")},   {"b", Bool(true)},
                      {"d", Double(0.5)}, {"n", iq_value{}}, {"a.j", Str("[1]", IQ_JSON)}};
  document_.decimals = {{"sum", 12345}};
  EXPECT_EQ(2, command_.Integer("i"));
  EXPECT_EQ("x", command_.Text("t"));
  EXPECT_TRUE(command_.Bool("b"));
  EXPECT_EQ(0.5, command_.Number("d"));
  EXPECT_EQ(2.0, command_.Number("i"));
  EXPECT_EQ("[1]", command_.Json("a.j"));
  EXPECT_EQ(12345, command_.Decimal("sum", 3));
  EXPECT_EQ(2, command_.FindInteger("i"));
}

TEST_F(PluginValues, TheFindFormsGiveNothingForWhatIsNotThereOrNull) {
  document_.values = {{"n", iq_value{}}};
  EXPECT_EQ(std::nullopt, command_.FindInteger("n"));
  EXPECT_EQ(std::nullopt, command_.FindText("x"));
  EXPECT_EQ(std::nullopt, command_.FindBool("x"));
  EXPECT_EQ(std::nullopt, command_.FindNumber("x"));
  EXPECT_EQ(std::nullopt, command_.FindJson("x"));
  EXPECT_EQ(std::nullopt, command_.FindDecimal("x", 3));
}

TEST_F(PluginValues, WhatIsMissingIsInvalidAndNamed) {
  document_.values = {{"n", iq_value{}}};
  const auto invalid = [](const char* what) { return ThrowsMessage<iq::Invalid>(what); };
  EXPECT_THAT([&] { (void)command_.Integer("x"); }, invalid("x must be a 64-bit integer"));
  EXPECT_THAT([&] { (void)command_.Text("n"); }, invalid("n must be a string"));
  EXPECT_THAT([&] { (void)command_.Bool("x"); }, invalid("x must be true or false"));
  EXPECT_THAT([&] { (void)command_.Number("x"); }, invalid("x must be a number"));
  EXPECT_THAT([&] { (void)command_.Json("x"); }, invalid("x must be an object or array"));
  EXPECT_THAT([&] { (void)command_.Decimal("x", 3); }, invalid("x must be a decimal number"));
}

TEST_F(PluginValues, WhatIsOfAnotherTypeIsInvalidAndNamed) {
  document_.values = {{"i", Double(2)}, {"details.t", Int(2)}, {"sum", Int(0)}};
  const auto invalid = [](const char* what) { return ThrowsMessage<iq::Invalid>(what); };
  EXPECT_THAT([&] { (void)command_.Integer("i"); }, invalid("i must be a 64-bit integer"));
  EXPECT_THAT([&] { (void)command_.FindInteger("i"); }, invalid("i must be a 64-bit integer"));
  EXPECT_THAT([&] { (void)command_.Text("details.t"); }, invalid("details.t must be a string"));
  EXPECT_THAT([&] { (void)command_.Decimal("sum", 3); },
              invalid("sum must be a decimal number with at most 3 decimals, within 64 bits"));
}

TEST_F(PluginValues, TheEnvelopeIsReadAsGiven) {
  raw_.attempts_max = 2;
  raw_.correlation_id = iq::detail::Borrow("c");
  raw_.traceparent = iq::detail::Borrow("t");
  raw_.timestamp_us = 1'000'000;
  EXPECT_EQ("id-1", command_.id());
  EXPECT_EQ("c", command_.correlation_id());
  EXPECT_EQ("t", command_.traceparent());
  EXPECT_EQ(std::chrono::seconds(1), command_.timestamp()->time_since_epoch());
  EXPECT_FALSE(command_.last_attempt());
  raw_.attempt = 2;
  EXPECT_TRUE(command_.last_attempt());
}

TEST_F(PluginValues, AFieldBeyondStructSizeReadsAsZero) {
  raw_.traceparent = iq::detail::Borrow("what an older host left in memory");
  raw_.timestamp_us = 5;
  raw_.struct_size = offsetof(iq_command, traceparent);
  EXPECT_EQ("", command_.traceparent());
  EXPECT_EQ(std::nullopt, command_.timestamp());
  EXPECT_EQ("id-1", command_.id());
}

TEST_F(PluginValues, ClocksAreTheHosts) {
  EXPECT_EQ(std::chrono::seconds(1'700'000'000), context_.now().time_since_epoch());
  EXPECT_EQ(std::chrono::microseconds(-5), context_.time_left());
}

}  // namespace
}  // namespace iq_test
