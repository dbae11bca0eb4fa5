// The spans of a command, and their JSON by the rules of the OpenTelemetry Protocol's encoding: ids
// in hexadecimal, 64-bit integers as decimal strings, enumerations as numbers.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "host/trace/command_trace.h"
#include "host/trace/span.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::chrono::sys_time<std::chrono::nanoseconds> At(std::int64_t nanoseconds) {
  return std::chrono::sys_time<std::chrono::nanoseconds>(std::chrono::nanoseconds(nanoseconds));
}

Span ExampleSpan() {
  Span span;
  span.trace_id = "5b8efff798038103d269b633813fc60c";
  span.span_id = "eee19b7ec3c1b174";
  span.parent_id = "eee19b7ec3c1b173";
  span.name = "process income";
  span.kind = Span::Kind::kConsumer;
  span.began = At(1'544'712'660'000'000'123);
  span.ended = At(1'544'712'661'000'000'001);
  span.attributes = {
      {"text", "a"}, {"number", std::int64_t{9'007'199'254'740'993}}, {"truth", true}};
  return span;
}

TEST(OtlpJson, IsAnExportTraceServiceRequest) {
  const Span spans[] = {ExampleSpan()};
  const Attribute resource[] = {{"service.name", "iq"}};
  const json request = json::parse(OtlpJson(spans, resource));
  const json expected_span = json::parse(R"({
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "parentSpanId": "eee19b7ec3c1b173",
    "name": "process income",
    "kind": 5,
    "startTimeUnixNano": "1544712660000000123",
    "endTimeUnixNano": "1544712661000000001",
    "attributes": [
      {"key": "text", "value": {"stringValue": "a"}},
      {"key": "number", "value": {"intValue": "9007199254740993"}},
      {"key": "truth", "value": {"boolValue": true}}
    ]
  })");
  ASSERT_EQ(request.size(), 1U);
  ASSERT_EQ(request.at("resourceSpans").size(), 1U);
  const json& of_resource = request["resourceSpans"][0];
  EXPECT_EQ(of_resource.at("resource"), json::parse(R"({"attributes":
    [{"key": "service.name", "value": {"stringValue": "iq"}}]})"));
  ASSERT_EQ(of_resource.at("scopeSpans").size(), 1U);
  const json& of_scope = of_resource["scopeSpans"][0];
  EXPECT_EQ(of_scope.at("scope").at("name"), "iq");
  EXPECT_EQ(of_scope.at("spans"), json::array({expected_span}));
}

TEST(OtlpJson, AFailureIsAStatusAndARootHasNoParent) {
  Span failed = ExampleSpan();
  failed.parent_id.clear();
  failed.error = "its time was up";
  const json span =
      json::parse(OtlpJson({&failed, 1}, {}))["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
  EXPECT_EQ(span.at("status"), json::parse(R"({"code": 2, "message": "its time was up"})"));
  EXPECT_FALSE(span.contains("parentSpanId"));
}

TEST(OtlpJson, TextThatIsNotUtf8DoesNotSpoilTheRequest) {
  Span span = ExampleSpan();
  span.name = "process \xff";
  const json parsed =
      json::parse(OtlpJson({&span, 1}, {}))["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
  EXPECT_EQ(parsed.at("name"), "process \uFFFD");
}

// One second of a command, from 0 on the steady clock and 1,000 s on the system's.
class CommandSpans : public testing::Test {
 protected:
  CommandSpans() {
    trace.context = {"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", true};
    trace.queue = "billing";
    trace.type = "income";
    trace.message_id = "17";
    trace.outcome = "done";
    trace.plugin = "income/1.0.0";
    trace.attempt = 2;
    trace.process = Over(0ms, 1000ms);
    clocks.steady = kZero + 5s;
    clocks.system = std::chrono::system_clock::time_point(1005s);
  }

  static Interval Over(std::chrono::milliseconds from, std::chrono::milliseconds to) {
    return {kZero + from, kZero + to};
  }

  std::vector<Span> Spans() const { return SpansOf(trace, "rabbitmq", clocks); }

  // As text; "" where there is none.
  static std::string ValueOf(const Span& span, const std::string& key) {
    for (const Attribute& attribute : span.attributes) {
      if (attribute.key != key) continue;
      if (const auto* text = std::get_if<std::string>(&attribute.value)) return *text;
      if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) {
        return std::to_string(*number);
      }
      return std::get<bool>(attribute.value) ? "true" : "false";
    }
    return "";
  }

  static constexpr std::chrono::steady_clock::time_point kZero{1h};
  CommandTrace trace;
  ClockReading clocks;
};

TEST_F(CommandSpans, TheCommandsOwnIsAChildOfWhoSentIt) {
  const auto spans = Spans();
  ASSERT_EQ(spans.size(), 1U);
  const Span& span = spans[0];
  EXPECT_EQ(span.name, "process income");
  EXPECT_EQ(span.kind, Span::Kind::kConsumer);
  EXPECT_EQ(span.trace_id, trace.context.trace_id);
  EXPECT_EQ(span.parent_id, trace.context.parent_id);
  EXPECT_EQ(span.span_id.size(), 16U);
  EXPECT_EQ(span.began, At(1'000'000'000'000));
  EXPECT_EQ(span.ended, At(1'001'000'000'000));
  EXPECT_EQ(span.error, "");
}

TEST_F(CommandSpans, ItsAttributesFollowTheConventions) {
  const Span span = Spans()[0];
  EXPECT_EQ(ValueOf(span, "messaging.system"), "rabbitmq");
  EXPECT_EQ(ValueOf(span, "messaging.destination.name"), "billing");
  EXPECT_EQ(ValueOf(span, "messaging.operation.type"), "process");
  EXPECT_EQ(ValueOf(span, "messaging.message.id"), "17");
  EXPECT_EQ(ValueOf(span, "iq.type"), "income");
  EXPECT_EQ(ValueOf(span, "iq.outcome"), "done");
  EXPECT_EQ(ValueOf(span, "iq.attempt"), "2");
  EXPECT_EQ(ValueOf(span, "iq.plugin"), "income/1.0.0");
  for (const char* absent :
       {"iq.code", "iq.repeat", "error.type", "messaging.message.conversation_id"}) {
    EXPECT_EQ(ValueOf(span, absent), "") << absent;
  }
}

TEST_F(CommandSpans, ARefusalIsNoErrorAndAFailureIs) {
  trace.outcome = "rejected";
  trace.code = "insufficient_funds";
  EXPECT_EQ(Spans()[0].error, "");
  EXPECT_EQ(ValueOf(Spans()[0], "iq.code"), "insufficient_funds");
  EXPECT_EQ(ValueOf(Spans()[0], "error.type"), "");
  trace.outcome = "failed";
  trace.code = "deadline";
  trace.error = "its time was up";
  EXPECT_EQ(Spans()[0].error, "its time was up");
  EXPECT_EQ(ValueOf(Spans()[0], "error.type"), "deadline");
}

TEST_F(CommandSpans, WhatTookPlaceIsAChild) {
  trace.handle = Over(100ms, 200ms);
  trace.publish = Over(400ms, 1000ms);
  const auto spans = Spans();
  ASSERT_EQ(spans.size(), 3U);
  EXPECT_EQ(SpanCount(trace), 3U);
  EXPECT_EQ(spans[1].name, "handle");
  EXPECT_EQ(spans[1].began, At(1'000'100'000'000));
  EXPECT_EQ(spans[1].ended, At(1'000'200'000'000));
  EXPECT_EQ(spans[2].name, "publish");
  for (const Span& child : {spans[1], spans[2]}) {
    EXPECT_EQ(child.trace_id, trace.context.trace_id);
    EXPECT_EQ(child.parent_id, spans[0].span_id);
    EXPECT_NE(child.span_id, spans[0].span_id);
    EXPECT_EQ(child.kind, Span::Kind::kInternal);
  }
}

}  // namespace
}  // namespace iq
