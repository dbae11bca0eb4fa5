#include "tests/support/amqp_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/shared_servers.h"

namespace iq::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

AmqpClient Client() { return AmqpClient(TestServers().broker_url()); }

TEST(AmqpClient, MessageComesBackWithAllItsProperties) {
  AmqpClient client = Client();
  const std::string queue = client.DeclareTemporaryQueue();
  const AmqpProperties sent{.message_id = "m-1",
                            .correlation_id = "c-1",
                            .reply_to = "answers",
                            .type = "some.type",
                            .content_type = "application/json",
                            .content_encoding = "utf-8",
                            .app_id = "test",
                            .expiration = "60000",
                            .priority = 3,
                            .timestamp = 1'700'000'000,
                            .headers = {{"x-a", "1"}, {"x-b", ""}}};
  const std::string body("{\"a\":1}\0tail", 12);
  client.Publish("", queue, body, sent);
  const auto got = client.Get(queue);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->body, body);
  EXPECT_EQ(got->key, queue);
  EXPECT_EQ(got->exchange, "");
  EXPECT_EQ(got->delivery_mode, 2);
  EXPECT_FALSE(got->redelivered);
  EXPECT_EQ(got->properties, sent);
  EXPECT_EQ(client.Get(queue), std::nullopt);
}

TEST(AmqpClient, HeadersOfOtherTypesReadAsText) {
  AmqpClient client = Client();
  const std::string dead = client.DeclareTemporaryQueue();
  client.DeleteQueue("expiring");
  client.DeclareDurableQueue("expiring", {{"x-message-ttl", std::int64_t{1}},
                                          {"x-dead-letter-exchange", ""},
                                          {"x-dead-letter-routing-key", dead}});
  client.Publish("", "expiring", "b");
  const auto got = client.Consume(dead, 1, seconds(20));
  ASSERT_EQ(got.size(), 1U);
  EXPECT_THAT(got[0].properties.headers.at("x-death"), testing::HasSubstr("reason=expired"));
  EXPECT_THAT(got[0].properties.headers.at("x-death"), testing::HasSubstr("count=1,"));
}

TEST(AmqpClient, UnroutableMessageThrowsUnlessItMayGetLost) {
  AmqpClient client = Client();
  const std::string queue = client.DeclareTemporaryQueue();
  EXPECT_THROW(client.Publish("", "no-such-queue", "b"), AmqpError);
  client.Publish("", "no-such-queue", "b", {}, /*mandatory=*/false);
  EXPECT_THROW(client.Publish("no-such-exchange", "k", "b"), AmqpError);
  client.Publish("", queue, "b");
  EXPECT_EQ(client.Depth(queue), 1U);
}

TEST(AmqpClient, RefusedMessageThrows) {
  AmqpClient client = Client();
  client.DeclareDurableQueue("full",
                             {{"x-max-length", std::int64_t{1}}, {"x-overflow", "reject-publish"}});
  client.Publish("", "full", "1");
  EXPECT_THROW(client.Publish("", "full", "2"), AmqpError);
  EXPECT_EQ(client.Depth("full"), 1U);
  client.DeleteQueue("full");
}

std::vector<std::string> BodiesOf(const std::vector<AmqpDelivery>& deliveries) {
  std::vector<std::string> bodies;
  bodies.reserve(deliveries.size());
  for (const AmqpDelivery& delivery : deliveries) {
    bodies.push_back(delivery.body);
  }
  return bodies;
}

TEST(AmqpClient, ManyMessagesKeepTheirOrder) {
  constexpr std::size_t kCount = 3000;
  AmqpClient client = Client();
  const std::string queue = client.DeclareTemporaryQueue();
  client.DeclareExchange("many", "topic");
  client.Bind(queue, "many", "a.#");
  std::vector<AmqpPublishing> publishings;
  std::vector<std::string> sent;
  for (std::size_t i = 0; i < kCount; ++i) {
    sent.push_back(std::to_string(i));
    publishings.push_back({.exchange = "many", .key = "a.b", .body = sent.back()});
  }
  client.PublishAll(publishings);
  EXPECT_EQ(client.Depth(queue), kCount);
  sent.pop_back();
  EXPECT_EQ(BodiesOf(client.Consume(queue, kCount - 1, seconds(60))), sent);
  EXPECT_EQ(client.Depth(queue), 1U);
  client.Purge(queue);
  EXPECT_EQ(client.Depth(queue), 0U);
}

TEST(AmqpClient, OneUnroutableAmongManyThrowsAndLeavesTheClientUsable) {
  AmqpClient client = Client();
  const std::string queue = client.DeclareTemporaryQueue();
  EXPECT_THROW(client.PublishAll({{.key = queue, .body = "1"},
                                  {.key = "no-such-queue", .body = "2"},
                                  {.key = queue, .body = "3"}}),
               AmqpError);
  client.Publish("", queue, "4");
  EXPECT_EQ(client.Depth(queue), 3U);
}

TEST(AmqpClient, ConsumeReturnsWhatThereIsAtTheDeadline) {
  AmqpClient client = Client();
  const std::string queue = client.DeclareTemporaryQueue();
  client.Publish("", queue, "only");
  EXPECT_EQ(client.Consume(queue, 2, milliseconds(50)).size(), 1U);
}

TEST(AmqpClient, MissingQueueIsAnErrorThatTheConnectionSurvives) {
  AmqpClient client = Client();
  const std::string queue = client.DeclareTemporaryQueue();
  EXPECT_THROW(client.Depth("no-such-queue"), AmqpError);
  EXPECT_FALSE(client.QueueExists("no-such-queue"));
  EXPECT_TRUE(client.QueueExists(queue));
  EXPECT_EQ(client.Consumers(queue), 0U);
  client.DeleteQueue(queue);
  EXPECT_FALSE(client.QueueExists(queue));
}

TEST(AmqpClient, ConnectsAgainAfterALoss) {
  AmqpClient client = Client();
  client.DeclareDurableQueue("here");
  TestServers().Rabbitmqctl({"close_all_connections", "test"});
  EXPECT_THROW(client.Depth("here"), AmqpError);
  EXPECT_EQ(client.Depth("here"), 0U);
}

}  // namespace
}  // namespace iq::test
