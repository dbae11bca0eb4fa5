#include "host/outgoing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "host/base/uuid.h"
#include "host/bus.h"
#include "host/topology.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

std::string TextOf(const Message& message, const std::string& header) {
  const auto found = message.headers.find(header);
  return found == message.headers.end() || found->second.text() == nullptr ? "(none)"
                                                                           : *found->second.text();
}

Command MakeCommand(const std::string& id) {
  Command command(Payload::Parse("{}"));
  command.type = "income";
  command.id = id;
  command.uuid = UuidOfMessageId(id);
  return command;
}

TEST(Events, TheirIdsDependOnTheCommandAndTheIndexAlone) {
  const Command command = MakeCommand("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
  const Event first = MakeEvent(command, 0, "balance.income", "{}", "2026-01-01T00:00:00Z");
  // Python: uuid.uuid5(uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), "0")
  EXPECT_EQ(first.id, "6af613b6-569c-5c22-9c37-2ed93f31d3af");
  EXPECT_NE(first.id, MakeEvent(command, 1, "balance.income", "{}", "").id);
  EXPECT_EQ(first.id, MakeEvent(command, 0, "other", R"({"a":1})", "later").id);
}

TEST(Events, ACommandJudgedAnewDoesNotUseAnIdTwice) {
  Command command = MakeCommand("x");
  const std::string rejected =
      MakeRejectedEvent(command, Verdict::Of(Outcome::kRejected, "c", "r")).id;
  command.first_event_index = 1;
  EXPECT_NE(MakeEvent(command, 0, "balance.income", "{}", "").id, rejected);
  EXPECT_NE(UnrecordedEndEvent(command, {}).id, rejected);
}

TEST(Events, CarryTheContractsBodyAndProperties) {
  const Event event =
      MakeEvent(MakeCommand("x"), 0, "balance.income", R"({"userId":2})", "2026-01-01T00:00:00Z");
  const auto body = nlohmann::json::parse(event.body);
  EXPECT_EQ(event.body, body.dump()) << "the journal would give back another text";
  EXPECT_EQ(body["event"], "balance.income");
  EXPECT_EQ(body["id"], event.id);
  EXPECT_EQ(body["commandId"], "x");
  EXPECT_EQ(body["occurredAt"], "2026-01-01T00:00:00Z");
  EXPECT_EQ(body["data"]["userId"], 2);
  const Outgoing out = EventMessage(event, "corr", "00-trace", EventsConfig{});
  EXPECT_EQ(out.address.exchange, "billing.events");
  EXPECT_EQ(out.address.routing_key, "balance.income");
  EXPECT_EQ(out.message.message_id, event.id);
  EXPECT_EQ(out.message.correlation_id, "corr");
  EXPECT_EQ(out.message.content_type, "application/json");
  EXPECT_EQ(TextOf(out.message, "cloudEvents_id"), event.id);
  EXPECT_EQ(TextOf(out.message, "cloudEvents_type"), "balance.income");
  EXPECT_EQ(TextOf(out.message, "cloudEvents_specversion"), "1.0");
  EXPECT_EQ(TextOf(out.message, "traceparent"), "00-trace");
}

TEST(DeadCopy, KeepsTheMessageAndSaysWhy) {
  Message original;
  original.body = "{";
  original.message_id = "id";
  original.correlation_id = "corr";
  original.expiration = "60000";
  original.headers["own"] = {std::string("kept")};
  const Verdict verdict = Verdict::Of(Outcome::kInvalid, "malformed", "not JSON at byte 1");
  const Outgoing out = DeadCopy(original, {verdict, "income", "income/1.0.0", "billing", 3}, {});
  EXPECT_EQ(out.address.exchange, "");
  EXPECT_EQ(out.address.routing_key, "billing.dead");
  EXPECT_EQ(out.routing, Publisher::Routing::kRequired);
  EXPECT_EQ(out.message.body, "{");
  EXPECT_EQ(out.message.message_id, "id");
  EXPECT_EQ(out.message.correlation_id, "corr");
  EXPECT_EQ(out.message.expiration, "") << "a copy that expires would be lost";
  EXPECT_EQ(TextOf(out.message, "own"), "kept");
  EXPECT_EQ(TextOf(out.message, "x-iq-code"), "malformed");
  EXPECT_EQ(TextOf(out.message, "x-iq-outcome"), "invalid");
  EXPECT_EQ(TextOf(out.message, "x-iq-type"), "income");
  EXPECT_EQ(TextOf(out.message, "x-iq-plugin"), "income/1.0.0");
  EXPECT_EQ(TextOf(out.message, "x-iq-queue"), "billing");
  EXPECT_EQ(std::get<std::int64_t>(out.message.headers.at("x-iq-attempts").value), 3);
  EXPECT_FALSE(WithoutEpitaph(out.message).headers.contains("x-iq-code"));
  EXPECT_EQ(TextOf(WithoutEpitaph(out.message), "own"), "kept");
}

// Else no frame could carry it, and its delivery would never be settled.
TEST(DeadCopy, DropsTheLongestHeadersOfAMessageThatHasNoRoomForMore) {
  Message original;
  original.message_id = "id";
  original.headers["small"] = {std::string("kept")};
  original.headers["large"] = {std::string(60'000, 'l')};
  original.headers["nested"] = {HeaderValue::List{
      {HeaderValue::Table{{"deep", {std::string(65'000, 'n')}}}}, {std::int64_t{1}}}};
  const Verdict verdict = Verdict::Of(Outcome::kInvalid, "malformed", "not JSON at byte 1");
  const Outgoing out = DeadCopy(original, {verdict, "", "", "billing", 1}, {});
  EXPECT_EQ(TextOf(out.message, "small"), "kept");
  EXPECT_EQ(TextOf(out.message, "large"), std::string(60'000, 'l'));
  EXPECT_FALSE(out.message.headers.contains("nested"));
  EXPECT_EQ(TextOf(out.message, "x-iq-dropped-headers"), "nested");
  EXPECT_EQ(TextOf(out.message, "x-iq-code"), "malformed");
}

TEST(DelayedCopy, DropsManyHeadersWhereTheyAreTooManyTogether) {
  Message original;
  for (int i = 0; i < 2'000; ++i) original.headers[std::to_string(i)] = {std::string(100, 'x')};
  const Outgoing out = DelayedCopy(original, "billing", 1, {});
  EXPECT_LT(out.message.headers.size(), 1'000U);
  EXPECT_GT(out.message.headers.size(), 500U);
  EXPECT_LE(TextOf(out.message, "x-iq-dropped-headers").size(), 2'000U);
}

TEST(DelayedCopy, WaitsLongerWithEachAttempt) {
  const RetryConfig retry{5, {1s, 5s}};
  const auto queue_after = [&](std::uint32_t attempts) {
    return DelayedCopy({}, "billing", attempts, retry).address.routing_key;
  };
  EXPECT_EQ(queue_after(1), "billing.delay.1000ms");
  EXPECT_EQ(queue_after(2), "billing.delay.5000ms");
  EXPECT_EQ(queue_after(4), "billing.delay.5000ms");
}

TEST(Topology, EveryDelayHasAQueueThatLeadsBackAndLosesNothing) {
  const Topology topology = MakeTopology(Config{});
  int delays = 0;
  for (const QueueSpec& queue : topology.queues) {
    if (!queue.arguments.contains("x-message-ttl")) continue;
    ++delays;
    EXPECT_EQ(*queue.arguments.at("x-dead-letter-routing-key").text(), "billing");
    EXPECT_EQ(*queue.arguments.at("x-dead-letter-strategy").text(), "at-least-once");
    EXPECT_EQ(*queue.arguments.at("x-overflow").text(), "reject-publish");
  }
  EXPECT_EQ(delays, 3);
}

TEST(Reply, SaysTheOutcome) {
  Delivery delivery;
  delivery.message.reply_to = "answers";
  delivery.message.correlation_id = "corr";
  const Outgoing out =
      Reply(delivery, "x", "income", Verdict::Of(Outcome::kRejected, "unknown_user", "no user 5"));
  EXPECT_EQ(out.address.exchange, "");
  EXPECT_EQ(out.address.routing_key, "answers");
  EXPECT_EQ(out.message.correlation_id, "corr");
  EXPECT_EQ(nlohmann::json::parse(out.message.body),
            nlohmann::json::parse(R"({"id":"x","type":"income","outcome":"rejected",
                                      "code":"unknown_user","reason":"no user 5","events":[]})"));
}

}  // namespace
}  // namespace iq
