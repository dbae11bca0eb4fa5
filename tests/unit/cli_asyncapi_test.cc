// The document of what cannot be had from the billing plugins: odd names, and schemas that refer to
// themselves.
#include "host/cli/asyncapi_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace iq::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;

Json Message(const Served& served, const std::string& key, const Config& config = {}) {
  return AsyncApiDocument(config, served).at("components").at("messages").at(key);
}

Json PayloadOf(const std::string& schema) {
  Served served;
  served.commands = {{"points.add", "points/1.0.0", schema}};
  return Message(served, "points.add").at("payload");
}

TEST(AsyncApiDocument, ASchemaThatNamesTheTypeStandsAsItIs) {
  const std::string schema = R"({"required":["n"],"properties":{"type":{"const":"points.add"}}})";
  EXPECT_EQ(PayloadOf(schema).dump(), schema);
}

TEST(AsyncApiDocument, OneThatDoesNotIsGivenTheType) {
  EXPECT_EQ(PayloadOf(R"({"required":["n"],"properties":{"n":{"type":"integer"}}})").dump(),
            R"({"required":["n","type"],)"
            R"("properties":{"n":{"type":"integer"},"type":{"const":"points.add"}}})");
  EXPECT_EQ(
      PayloadOf("").dump(),
      R"({"type":"object","properties":{"type":{"const":"points.add"}},"required":["type"]})");
}

TEST(AsyncApiDocument, ReferencesWithinASchemaFollowIt) {
  const Json payload = PayloadOf(R"({
    "$id": "http://example.com/points",
    "properties": {
      "type": {"const": "points.add"},
      "n": {"$ref": "#/definitions/count"},
      "enum": {"$ref": "#"},
      "else": {"$ref": "http://example.com/other"},
      "plain": {"const": {"$ref": "#/definitions/count"}}
    },
    "definitions": {"count": {"type": "integer"}}
  })");
  const std::string place = "#/components/messages/points.add/payload";
  const Json& properties = payload.at("properties");
  EXPECT_EQ(properties.at("n").at("$ref"), place + "/definitions/count");
  EXPECT_EQ(properties.at("enum").at("$ref"), place);
  EXPECT_EQ(properties.at("else").at("$ref"), "http://example.com/other");
  EXPECT_EQ(properties.at("plain").at("const").at("$ref"), "#/definitions/count");
  EXPECT_FALSE(payload.contains("$id"));
}

TEST(AsyncApiDocument, NamesThatCannotBeKeysStayInTheMessagesNames) {
  Served served;
  served.commands = {{"a/b", "p/1", ""}, {"a b", "p/1", ""}, {"reply", "p/1", ""}};
  EXPECT_EQ(Message(served, "a_b").at("name"), "a/b");
  EXPECT_EQ(Message(served, "a_b_2").at("name"), "a b");
  EXPECT_EQ(Message(served, "reply").at("x-iq-plugin"), "p/1");
  EXPECT_EQ(Message(served, "reply_2").at("headers").at("$ref"),
            "#/components/schemas/replyHeaders");
}

TEST(AsyncApiDocument, AnEventOfTwoPluginsMayBeAsEitherOfThemSays) {
  Served served;
  served.events["moved"] = {{"a/1", R"({"minProperties":1})"},
                            {"b/1", R"({"minProperties":2})"},
                            {"a/1", R"({"minProperties":1})"}};
  const Json message = Message(served, "moved");
  EXPECT_EQ(message.at("x-iq-plugins"), Json({"a/1", "b/1"}));
  EXPECT_EQ(message.at("payload").at("properties").at("data").dump(),
            R"({"anyOf":[{"minProperties":1},{"minProperties":2}]})");
}

TEST(AsyncApiDocument, AListenerIsGivenTheEventsOfItsPattern) {
  Served served;
  served.events["balance.income"] = served.events["points.added"] = {{"a/1", "{}"}};
  served.listeners = {{"a.one", "a/1", "balance.*"}, {"a.two", "a/1", "elsewhere.#"}};
  const auto heard = [&](const std::string& queue) {
    std::vector<std::string> keys;
    const Json document = AsyncApiDocument({}, served);
    for (const auto& [key, message] : document.at("channels").at(queue).at("messages").items()) {
      keys.push_back(key);
    }
    return keys;
  };
  EXPECT_THAT(heard("billing.events.a.one"), ElementsAre("balance.income"));
  EXPECT_THAT(heard("billing.events.a.two"), ElementsAre("event"));
  served.silent = {"b/1"};
  EXPECT_THAT(heard("billing.events.a.one"), ElementsAre("balance.income", "event"));
}

TEST(AsyncApiDocument, EachConsumerIsAChannel) {
  Config config;
  config.consumers = {{.exchange = "orders", .queue = "orders.fast"},
                      {.exchange = "orders", .queue = "orders.slow"}};
  const Json document = AsyncApiDocument(config, {});
  for (const char* queue : {"orders.fast", "orders.slow"}) {
    const Json& channel = document.at("channels").at(queue);
    EXPECT_EQ(channel.at("address"), queue);
    EXPECT_EQ(channel.at("bindings").at("amqp").at("exchange").at("name"), "orders");
    EXPECT_EQ(
        document.at("operations").at("receive." + std::string(queue)).at("channel").at("$ref"),
        "#/channels/" + std::string(queue));
  }
}

TEST(AsyncApiDocument, AnIpv6HostIsInBrackets) {
  Config config;
  config.broker.url = "amqp://user:geheim@[::1]:5673/";
  const Json document = AsyncApiDocument(config, {});
  EXPECT_EQ(document.at("servers").at("broker").at("host"), "[::1]:5673");
  EXPECT_THAT(document.dump(), Not(HasSubstr("geheim")));
}

}  // namespace
}  // namespace iq::cli
