// One trace, followed through everything that a command causes: log lines, events, replies, dead
// letters, and the spans that a collector gets. And collectors that are no help.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <stdlib.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/signing.h"
#include "tests/support/eventually.h"
#include "tests/support/otlp_collector.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kTraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr const char* kSpanId = "00f067aa0ba902b7";
constexpr const char* kKey = "a-secret";
constexpr std::int64_t kUser = 2;

std::string Traceparent(const char* flags = "01") {
  return fmt::format("00-{}-{}-{}", kTraceId, kSpanId, flags);
}

InstallationOptions Signed() {
  InstallationOptions options;
  options.security = fmt::format("require_signature: true, keys: [{}]", kKey);
  options.admin = "listen: '127.0.0.1:0'";
  return options;
}

std::string Text(const json& object, const char* key) { return object.at(key).get<std::string>(); }

std::string ValueOf(const json& value) {
  for (const char* kind : {"stringValue", "intValue"}) {
    if (value.contains(kind)) return Text(value, kind);
  }
  return value.dump();
}

// By their keys, as text.
std::map<std::string, std::string> AttributesOf(const json& holder) {
  std::map<std::string, std::string> attributes;
  for (const json& each : holder.at("attributes")) {
    attributes[Text(each, "key")] = ValueOf(each.at("value"));
  }
  return attributes;
}

class TraceTest : public testing::Test {
 protected:
  TraceTest() : iq_(Signed()) { iq_.OpenAccount(kUser, 0); }

  void StartTracedHost() {
    iq_.LaunchHost({"env", "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector_.url(),
                    "OTEL_SERVICE_NAME=billing-test"});
    ASSERT_TRUE(Eventually(20s, [&] { return iq_.broker().Consumers("billing") == 1; }))
        << iq_.Log();
  }

  static AmqpPublishing Command(const std::string& id, const std::string& body,
                                const std::string& traceparent = Traceparent()) {
    AmqpPublishing publishing{"billing", "", body, {}};
    publishing.properties.message_id = id;
    publishing.properties.headers["x-iq-signature"] = Sign(kKey, id, body);
    if (!traceparent.empty()) publishing.properties.headers["traceparent"] = traceparent;
    return publishing;
  }
  void Send(const AmqpPublishing& publishing) { iq_.broker().Publish({publishing}); }

  // The only event that comes next.
  AmqpDelivery NextEvent() {
    auto events = iq_.NextEvents(1);
    EXPECT_EQ(events.size(), 1U) << iq_.Log();
    return events.empty() ? AmqpDelivery{} : events[0];
  }

  std::vector<json> Spans() const {
    std::vector<json> spans;
    for (const auto& request : collector_.requests()) {
      const json of_resource = json::parse(request.body).at("resourceSpans").at(0);
      EXPECT_EQ(AttributesOf(of_resource.at("resource")).at("service.name"), "billing-test");
      for (const json& span : of_resource.at("scopeSpans").at(0).at("spans")) spans.push_back(span);
    }
    return spans;
  }

  // The span of the command with this id; waits for it.
  json SpanOf(const std::string& id) {
    json found;
    EXPECT_TRUE(Eventually(20s,
                           [&] {
                             for (const json& span : Spans()) {
                               const auto attributes = AttributesOf(span);
                               const auto of = attributes.find("messaging.message.id");
                               if (of != attributes.end() && of->second == id) found = span;
                             }
                             return !found.is_null();
                           }))
        << "no span of " << id;
    return found;
  }

  // Names of the children of `span`, as they began.
  std::vector<std::string> ChildrenOf(const json& span) const {
    std::map<std::string, std::string> by_time;
    for (const json& each : Spans()) {
      if (each.value("parentSpanId", "") != Text(span, "spanId")) continue;
      EXPECT_EQ(each.at("traceId"), span.at("traceId"));
      EXPECT_GE(each.at("startTimeUnixNano"), span.at("startTimeUnixNano"));
      EXPECT_LE(each.at("endTimeUnixNano"), span.at("endTimeUnixNano"));
      by_time[Text(each, "startTimeUnixNano")] = Text(each, "name");
    }
    std::vector<std::string> names;
    for (const auto& [time, name] : by_time) names.push_back(name);
    return names;
  }

  void ExpectSpan(const std::string& id, const std::string& outcome, const std::string& code) {
    const json span = SpanOf(id);
    ASSERT_FALSE(span.is_null());
    EXPECT_EQ(span.at("traceId"), kTraceId);
    EXPECT_EQ(span.at("parentSpanId"), kSpanId);
    constexpr int kConsumer = 5;
    EXPECT_EQ(span.at("kind"), kConsumer);
    EXPECT_FALSE(span.contains("status")) << span;
    auto attributes = AttributesOf(span);
    EXPECT_EQ(span.at("name"), "process " + attributes["iq.type"]);
    EXPECT_EQ(attributes["messaging.system"],
              ChosenProfile() == ProfileName::kServers ? "rabbitmq" : "sqlite");
    EXPECT_EQ(attributes["messaging.destination.name"], "billing");
    EXPECT_EQ(attributes["iq.outcome"], outcome);
    EXPECT_EQ(attributes["iq.code"], code);
    EXPECT_EQ(attributes["iq.attempt"], "1");
  }

  // Of the log's lines about a command.
  std::set<std::string> TraceIdsInLog(const std::string& id) const {
    std::set<std::string> trace_ids;
    std::istringstream lines(iq_.Log());
    for (std::string line; std::getline(lines, line);) {
      const json record = json::parse(line, nullptr, false);
      if (record.is_object() && record.value("id", "") == id) {
        trace_ids.insert(record.value("trace_id", "none"));
      }
    }
    return trace_ids;
  }

  // Of the only host, on the address that its log tells.
  std::string Get(const std::string& path) const {
    std::smatch found;
    const std::string log = iq_.Log();
    if (!std::regex_search(log, found, std::regex("answering at (http://127[.0-9]+:[0-9]+)"))) {
      ADD_FAILURE() << log;
      return "";
    }
    const auto answer = httplib::Client(found[1].str()).Get(path);
    return answer ? fmt::format("{} {}", answer->status, answer->body) : "";
  }

  double Dropped() const {
    std::smatch found;
    const std::string metrics = Get("/metrics");
    const bool there =
        std::regex_search(metrics, found, std::regex("\niq_spans_dropped_total ([0-9.e+]+)"));
    EXPECT_TRUE(there) << metrics;
    return there ? std::stod(found[1].str()) : -1;
  }

  OtlpCollector collector_;
  Installation iq_;
};

TEST_F(TraceTest, ADoneCommandsTraceGoesOnInItsEventAndItsReply) {
  StartTracedHost();
  const std::string id = NewId();
  AmqpPublishing command = Command(id, Body("income", kUser));
  command.properties.reply_to = iq_.broker().DeclareTemporaryQueue();
  command.properties.correlation_id = "ask-1";
  Send(command);
  EXPECT_EQ(NextEvent().properties.headers["traceparent"], Traceparent());
  auto replies = iq_.broker().Consume(command.properties.reply_to, 1, 20s);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].properties.headers["traceparent"], Traceparent());
  ExpectSpan(id, "done", "");
  const json span = SpanOf(id);
  auto attributes = AttributesOf(span);
  EXPECT_EQ(attributes["messaging.message.conversation_id"], "ask-1");
  EXPECT_THAT(attributes["iq.plugin"], HasSubstr("income/"));
  EXPECT_THAT(ChildrenOf(span), testing::ElementsAre("handle", "commit", "publish"));

  Send(command);  // The journal knows it: the same event again, and no handler.
  EXPECT_EQ(NextEvent().properties.headers["traceparent"], Traceparent());
  EXPECT_TRUE(Eventually(20s, [&] {
    const auto spans = Spans();
    return std::any_of(spans.begin(), spans.end(),
                       [](const json& each) { return AttributesOf(each).contains("iq.repeat"); });
  }));
  iq_.StopHosts();
}

TEST_F(TraceTest, ARefusedCommandsTraceGoesOnInItsDeadLetterAndTheLog) {
  StartTracedHost();
  const std::string rejected = NewId();
  Send(Command(rejected, Body("withdraw", kUser)));
  const AmqpDelivery event = NextEvent();
  EXPECT_EQ(event.key, "command.rejected");
  EXPECT_EQ(event.properties.headers.at("traceparent"), Traceparent());
  ASSERT_TRUE(Eventually(20s, [&] { return iq_.DeadCount() == 1; })) << iq_.Log();
  const CliResult shown = iq_.Cli({"dead", "show", "--json", rejected});
  EXPECT_EQ(json::parse(shown.out)["headers"]["traceparent"], Traceparent()) << shown.err;
  EXPECT_EQ(iq_.NextDead().properties.headers.at("traceparent"), Traceparent());

  const std::string invalid = NewId();
  Send(Command(invalid, R"({"type":"income","sum":1})"));
  const AmqpDelivery dead = iq_.NextDead();
  EXPECT_EQ(dead.properties.headers.at("x-iq-code"), "schema");
  EXPECT_EQ(dead.properties.headers.at("traceparent"), Traceparent());

  const std::string malformed = NewId();
  Send(Command(malformed, "{"));
  EXPECT_EQ(iq_.NextDead().properties.headers.at("traceparent"), Traceparent());

  ExpectSpan(rejected, "rejected", "insufficient_funds");
  ExpectSpan(invalid, "invalid", "schema");
  EXPECT_EQ(AttributesOf(SpanOf(malformed))["iq.code"], "malformed");
  for (const std::string& id : {rejected, invalid, malformed}) {
    EXPECT_THAT(TraceIdsInLog(id), testing::ElementsAre(kTraceId)) << id;
  }
  iq_.StopHosts();
}

TEST_F(TraceTest, ACommandWithoutATraceBeginsOne) {
  StartTracedHost();
  const std::string without = NewId();
  const std::string wrong = NewId();
  Send(Command(without, Body("withdraw", kUser), ""));
  EXPECT_FALSE(NextEvent().properties.headers.contains("traceparent"));
  Send(Command(wrong, Body("withdraw", kUser), "00-trace"));
  EXPECT_EQ(NextEvent().properties.headers["traceparent"], "00-trace")
      << "it is passed on as it is";
  const json first = SpanOf(without);
  const json second = SpanOf(wrong);
  ASSERT_FALSE(first.is_null() || second.is_null());
  EXPECT_FALSE(first.contains("parentSpanId"));
  EXPECT_FALSE(second.contains("parentSpanId"));
  EXPECT_NE(first.at("traceId"), second.at("traceId"));
  EXPECT_THAT(TraceIdsInLog(without), testing::ElementsAre(Text(first, "traceId")));
  EXPECT_THAT(TraceIdsInLog(wrong), testing::ElementsAre(Text(second, "traceId")));
  iq_.StopHosts();
}

TEST_F(TraceTest, WhatIsNotSampledIsInTheLogAndNotExported) {
  StartTracedHost();
  const std::string quiet = NewId();
  const std::string loud = NewId();
  Send(Command(quiet, Body("withdraw", kUser), Traceparent("00")));
  EXPECT_EQ(NextEvent().properties.headers["traceparent"], Traceparent("00"));
  Send(Command(loud, Body("withdraw", kUser)));
  NextEvent();
  iq_.StopHosts();  // Sends what waits.
  EXPECT_FALSE(SpanOf(loud).is_null());
  for (const json& span : Spans()) {
    EXPECT_NE(AttributesOf(span)["messaging.message.id"], quiet) << span;
  }
  EXPECT_THAT(TraceIdsInLog(quiet), testing::ElementsAre(kTraceId));
}

TEST_F(TraceTest, WithoutACollectorTheTraceIsPassedOnAndLogged) {
  iq_.StartHosts();
  const std::string id = NewId();
  Send(Command(id, Body("withdraw", kUser)));
  EXPECT_EQ(NextEvent().properties.headers["traceparent"], Traceparent());
  EXPECT_EQ(iq_.NextDead().properties.headers.at("traceparent"), Traceparent());
  EXPECT_THAT(TraceIdsInLog(id), testing::ElementsAre(kTraceId));
  const std::string other = NewId();
  Send(Command(other, Body("withdraw", kUser), ""));
  NextEvent();
  EXPECT_THAT(TraceIdsInLog(other), testing::ElementsAre("none"));
  iq_.StopHosts();
}

TEST_F(TraceTest, ACollectorThatHangsHoldsNoCommandUp) {
  collector_.Hang();
  StartTracedHost();
  const auto send = [&](std::size_t count) {
    std::vector<AmqpPublishing> commands;
    commands.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
      commands.push_back(Command(NewId(), Body("income", kUser)));
    iq_.broker().Publish(commands);
  };
  send(1);
  ASSERT_TRUE(Eventually(20s, [&] { return !collector_.requests().empty(); })) << iq_.Log();
  send(200);
  EXPECT_EQ(iq_.NextEvents(201).size(), 201U);
  EXPECT_EQ(iq_.Balance(kUser), 201'000);
  EXPECT_EQ(Dropped(), 0);

  send(1000);  // Four spans each: more than may wait.
  EXPECT_EQ(iq_.NextEvents(1000).size(), 1000U);
  EXPECT_EQ(iq_.Balance(kUser), 1'201'000);
  EXPECT_TRUE(Eventually(10s, [&] { return Dropped() > 0; }));

  const auto said = [&] {
    return iq_.Log().find("the collector of spans at 127.0.0.1:") != std::string::npos;
  };
  EXPECT_TRUE(Eventually(20s, said)) << iq_.Log();
  EXPECT_THAT(Get("/readyz"), testing::StartsWith("200 ")) << "no command needs it";
  const auto stopped = std::chrono::steady_clock::now();
  iq_.StopHosts();
  EXPECT_LT(std::chrono::steady_clock::now() - stopped, 10s);
}

TEST_F(TraceTest, AnEndpointThatIsNoneIsWrongUsage) {
  Process& host = iq_.LaunchHost({"env", "OTEL_EXPORTER_OTLP_ENDPOINT=127.0.0.1:4318"});
  constexpr int kUsage = 2;
  EXPECT_EQ(host.Wait(20s), (ExitStatus{.code = kUsage}));
  EXPECT_THAT(iq_.Log(), HasSubstr("OTEL_EXPORTER_OTLP_ENDPOINT: does not begin with http://"));
}

TEST_F(TraceTest, IqSendPassesATraceOn) {
  iq_.StartHosts();
  const std::vector<std::string> income{"send", "income", fmt::format("userId={}", kUser), "sum=1"};
  const auto send_with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> args = income;
    args.insert(args.end(), more.begin(), more.end());
    return iq_.Cli(args);
  };
  EXPECT_EQ(send_with({"--traceparent", Traceparent()}).status, 0);
  EXPECT_EQ(NextEvent().properties.headers["traceparent"], Traceparent());

  const std::string inherited = Traceparent("00");
  ASSERT_EQ(setenv("TRACEPARENT", inherited.c_str(), 1), 0);  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EQ(send_with({}).status, 0);
  EXPECT_EQ(NextEvent().properties.headers["traceparent"], inherited);
  EXPECT_EQ(send_with({"--traceparent", Traceparent()}).status, 0);
  EXPECT_EQ(NextEvent().properties.headers["traceparent"], Traceparent());
  ASSERT_EQ(setenv("TRACEPARENT", "nonsense", 1), 0);  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EQ(send_with({}).status, 0);
  EXPECT_FALSE(NextEvent().properties.headers.contains("traceparent"));
  ASSERT_EQ(unsetenv("TRACEPARENT"), 0);  // NOLINT(concurrency-mt-unsafe)

  const CliResult wrong = send_with({"--traceparent", "00-trace"});
  constexpr int kUsage = 2;
  EXPECT_EQ(wrong.status, kUsage);
  EXPECT_THAT(wrong.err, HasSubstr("--traceparent"));
  iq_.StopHosts();
}

}  // namespace
}  // namespace iq::test
