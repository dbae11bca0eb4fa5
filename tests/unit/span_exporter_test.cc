#include "host/trace/span_exporter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "host/base/outage.h"
#include "host/metrics.h"
#include "tests/support/eventually.h"
#include "tests/support/otlp_collector.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using test::Eventually;
using test::OtlpCollector;

// Of this process, so far.
double Dropped() {
  for (const auto& family : Metrics::OfThisProcess().Collect()) {
    if (family.name == "iq_spans_dropped_total") return family.metric.at(0).counter.value;
  }
  return -1;
}

// One span.
CommandTrace Trace() {
  CommandTrace trace;
  trace.context = NewTrace();
  trace.type = "income";
  trace.process = {std::chrono::steady_clock::now(), std::chrono::steady_clock::now()};
  return trace;
}

void ExportMany(SpanExporter& exporter, int count) {
  for (int i = 0; i < count; ++i) exporter.Export(Trace());
}

std::size_t SpansIn(const OtlpCollector::Request& request) {
  const auto json = nlohmann::json::parse(request.body);
  return json.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").size();
}

// In requests that were answered with 200.
std::size_t SpansTaken(const OtlpCollector& collector) {
  constexpr int kOk = 200;
  std::size_t spans = 0;
  for (const auto& request : collector.requests()) {
    if (request.status == kOk) spans += SpansIn(request);
  }
  return spans;
}

class SpanExporterTest : public testing::Test {
 protected:
  static TracingConfig ConfigFor(const OtlpCollector& collector) {
    TracingConfig config;
    config.host = "127.0.0.1";
    config.port = collector.port();
    config.path = "/v1/traces";
    config.headers = {{"x-api-key", "secret"}};
    config.resource = {{"service.name", "iq"}};
    return config;
  }

  OtlpCollector collector_;
  const double dropped_before_ = Dropped();
};

TEST_F(SpanExporterTest, ASpanIsSentSoon) {
  SpanExporter exporter(ConfigFor(collector_), "rabbitmq");
  exporter.Export(Trace());
  ASSERT_TRUE(Eventually(10s, [&] { return collector_.requests().size() == 1; }));
  const auto request = collector_.requests()[0];
  EXPECT_EQ(request.path, "/v1/traces");
  EXPECT_EQ(request.content_type, "application/json");
  EXPECT_EQ(request.api_key, "secret");
  EXPECT_EQ(SpansIn(request), 1U);
}

TEST_F(SpanExporterTest, WhatWaitsAtTheEndIsSentInRequestsOfAtMost512) {
  std::optional<SpanExporter> exporter(std::in_place, ConfigFor(collector_), "rabbitmq");
  ExportMany(*exporter, 600);
  EXPECT_TRUE(Eventually(20s, [&] { return SpansTaken(collector_) >= SpanExporter::kBatchMax; }));
  exporter.reset();
  // What a slow machine does not get through in the second that it has is counted.
  EXPECT_EQ(static_cast<double>(SpansTaken(collector_)) + Dropped() - dropped_before_, 600);
  for (const auto& request : collector_.requests()) {
    EXPECT_LE(SpansIn(request), SpanExporter::kBatchMax);
  }
}

TEST_F(SpanExporterTest, ACollectorThatHangsHoldsNobodyUpAndWhatFindsNoRoomIsCounted) {
  collector_.Hang();
  std::optional<SpanExporter> exporter(std::in_place, ConfigFor(collector_), "rabbitmq");
  const auto began = std::chrono::steady_clock::now();
  ExportMany(*exporter, 5000);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
  const double room = SpanExporter::kQueueMax + SpanExporter::kBatchMax;
  EXPECT_GE(Dropped() - dropped_before_, 5000 - room);
  EXPECT_LT(Dropped() - dropped_before_, 5000);
  ASSERT_TRUE(Eventually(10s, [&] { return !collector_.requests().empty(); }));
  const auto stopped = std::chrono::steady_clock::now();
  exporter.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - stopped, 4s);
  EXPECT_EQ(Dropped() - dropped_before_, 5000);
}

TEST_F(SpanExporterTest, WhileTheCollectorIsAwaySpansWaitForIt) {
  std::optional<OtlpCollector> first(std::in_place);
  constexpr int kServiceUnavailable = 503;
  first->Answer(kServiceUnavailable);
  const TracingConfig config = ConfigFor(*first);
  SpanExporter exporter(config, "rabbitmq");
  ExportMany(exporter, 3);
  ASSERT_TRUE(Eventually(10s, [&] { return first->requests().size() > 2; }));
  EXPECT_TRUE(ServerStates().empty()) << "no command needs it";
  first.reset();
  const OtlpCollector second(config.port);
  EXPECT_TRUE(Eventually(10s, [&] { return SpansTaken(second) == 3; }));
  EXPECT_EQ(Dropped(), dropped_before_);
}

TEST_F(SpanExporterTest, WhatIsRefusedIsNotSentAgain) {
  SpanExporter exporter(ConfigFor(collector_), "rabbitmq");
  constexpr int kBadRequest = 400;
  collector_.Answer(kBadRequest);
  exporter.Export(Trace());
  ASSERT_TRUE(Eventually(10s, [&] { return Dropped() - dropped_before_ == 1; }));
  EXPECT_EQ(collector_.requests().size(), 1U);
  constexpr int kOk = 200;
  collector_.Answer(kOk);
  exporter.Export(Trace());
  EXPECT_TRUE(Eventually(10s, [&] { return SpansTaken(collector_) == 1; }));
  EXPECT_EQ(collector_.requests().size(), 2U);
}

}  // namespace
}  // namespace iq
