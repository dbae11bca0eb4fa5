#include "host/trace/trace_context.h"

#include <gtest/gtest.h>

#include <set>

#include "host/command.h"

namespace iq {
namespace {

constexpr const char* kTraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr const char* kSpanId = "00f067aa0ba902b7";

std::string Traceparent(const std::string& version, const std::string& flags,
                        const std::string& more = "") {
  return version + "-" + kTraceId + "-" + kSpanId + "-" + flags + more;
}

TEST(Traceparent, SaysTraceParentAndWhetherItIsSampled) {
  const auto sampled = ParseTraceparent(Traceparent("00", "01"));
  ASSERT_TRUE(sampled);
  EXPECT_EQ(sampled->trace_id, kTraceId);
  EXPECT_EQ(sampled->parent_id, kSpanId);
  EXPECT_TRUE(sampled->sampled);
  EXPECT_FALSE(ParseTraceparent(Traceparent("00", "00"))->sampled);
}

TEST(Traceparent, OfTheFlagsTheLowestBitCounts) {
  EXPECT_TRUE(ParseTraceparent(Traceparent("00", "ff"))->sampled);
  EXPECT_TRUE(ParseTraceparent(Traceparent("00", "03"))->sampled);
  EXPECT_FALSE(ParseTraceparent(Traceparent("00", "fe"))->sampled);
}

TEST(Traceparent, ALaterVersionIsReadAsFarAsItIsKnown) {
  for (const std::string& text :
       {Traceparent("01", "01"), Traceparent("cc", "01", "-what the future has"),
        Traceparent("fe", "01", "-")}) {
    const auto context = ParseTraceparent(text);
    ASSERT_TRUE(context) << text;
    EXPECT_EQ(context->trace_id, kTraceId);
    EXPECT_EQ(context->parent_id, kSpanId);
    EXPECT_TRUE(context->sampled);
  }
  EXPECT_FALSE(ParseTraceparent(Traceparent("01", "01", ".more")));
  EXPECT_FALSE(ParseTraceparent(Traceparent("ff", "01")));
}

TEST(Traceparent, WhatIsNoneIsNotRead) {
  const std::string zeros(32, '0');
  const std::string upper = "4BF92F3577B34DA6A3CE929D0E0E4736";
  for (const std::string& text :
       {std::string(), std::string("00"), Traceparent("00", "1"), Traceparent("00", "01", "-"),
        Traceparent("00", "01", " "), " " + Traceparent("00", "01"), Traceparent("0", "01"),
        Traceparent("0g", "01"), Traceparent("00", "0g"), "00-" + zeros + "-" + kSpanId + "-01",
        "00-" + std::string(kTraceId) + "-0000000000000000-01",
        "00-" + upper + "-" + kSpanId + "-01",
        "00-" + std::string(kTraceId) + "_" + kSpanId + "-01",
        "00-" + std::string(31, 'a') + "--" + std::string(kSpanId).substr(1) + "--01"}) {
    EXPECT_FALSE(ParseTraceparent(text)) << text;
  }
}

TEST(NewTrace, IsSampledAndHasNoParentAndIsAnotherEachTime) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    const TraceContext trace = NewTrace();
    EXPECT_TRUE(trace.sampled);
    EXPECT_EQ(trace.parent_id, "");
    const auto read = ParseTraceparent("00-" + trace.trace_id + "-" + NewSpanId() + "-01");
    ASSERT_TRUE(read) << trace.trace_id;
    ids.insert(read->trace_id);
    ids.insert(read->parent_id);
  }
  EXPECT_EQ(ids.size(), 200U);
}

TEST(TraceOf, IsWhatTheHeaderSays) {
  Message message;
  EXPECT_EQ(TraceOf(message).trace_id, "");
  message.headers["traceparent"] = {std::string("00-trace")};
  EXPECT_EQ(TraceOf(message).trace_id, "");
  message.headers["traceparent"] = {std::int64_t{1}};
  EXPECT_EQ(TraceOf(message).trace_id, "");
  message.headers["traceparent"] = {Traceparent("00", "01")};
  EXPECT_EQ(TraceOf(message).trace_id, kTraceId);
}

TEST(TraceOf, ACommandPassesOnWhatCame) {
  for (const std::string& traceparent : {Traceparent("00", "00"), std::string("00-trace")}) {
    Delivery delivery;
    delivery.message.body = R"({"type":"t"})";
    delivery.message.headers["traceparent"] = {traceparent};
    const Decoded decoded = Decode(std::move(delivery), {});
    EXPECT_EQ(std::get<std::unique_ptr<Command>>(decoded)->traceparent, traceparent);
  }
}

}  // namespace
}  // namespace iq
