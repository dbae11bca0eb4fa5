// iq asyncapi: what it tells of the commands and events of the plugins, and that it is true.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/base/temporary_directory.h"
#include "host/schema.h"
#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/plugin_folder.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int kDone = 0;
constexpr int kFailed = 1;

const std::vector<std::string> kTypes{"income", "lock", "transfer", "withdraw"};

json DocumentOf(Installation& iq) {
  const CliResult result = iq.Cli({"asyncapi"});
  EXPECT_EQ(result.status, kDone) << result.err;
  EXPECT_EQ(result.err, "");
  return json::parse(result.out);
}

InstallationOptions WithoutTables() {
  InstallationOptions options;
  options.migrate = false;
  return options;
}

InstallationOptions With(const PluginFolder& plugins) {
  InstallationOptions options = WithoutTables();
  options.plugins = plugins.path();
  return options;
}

json DocumentWith(const PluginFolder& plugins) {
  Installation iq(With(plugins));
  return DocumentOf(iq);
}

json Message(const json& document, const std::string& key) {
  return document.at("components").at("messages").value(key, json());
}

json Reference(const std::string& to) { return {{"$ref", to}}; }

void CollectReferences(const json& value, std::vector<std::string>& references) {
  if (!value.is_structured()) return;
  for (const auto& [key, below] : value.items()) {
    if (key == "$ref" && below.is_string()) references.push_back(below);
    CollectReferences(below, references);
  }
}

// Whether `text` is a body of the message.
void ExpectFits(const json& document, const std::string& message, const std::string& text) {
  json schema = Message(document, message).at("payload");
  schema["components"] = document.at("components");  // What it refers to.
  EXPECT_EQ(Schema(schema.dump()).Fault(json::parse(text)).value_or(""), "") << text;
}

TEST(AsyncApiTest, TellsEachCommandWithItsSchema) {
  Installation iq(WithoutTables());
  const json document = DocumentOf(iq);
  EXPECT_EQ(document.at("asyncapi"), "3.0.0");
  EXPECT_EQ(document.at("info").at("title"), "iq");
  for (const std::string& type : kTypes) {
    const json message = Message(document, type);
    EXPECT_EQ(message.at("name"), type);
    EXPECT_EQ(message.at("payload").at("properties").at("type"), json({{"const", type}}));
    EXPECT_EQ(message.at("x-iq-plugin"), type + "/1.0.0");
    EXPECT_THAT(message.at("examples"), Not(IsEmpty()));
    for (const json& example : message.at("examples")) {
      EXPECT_EQ(iq.Cli({"explain", example.at("payload").dump()}).status, kDone) << example;
    }
    EXPECT_EQ(document.at("channels").at("billing").at("messages").at(type),
              Reference("#/components/messages/" + type));
    EXPECT_THAT(document.at("operations").at("receive.billing").at("messages"),
                Contains(Reference("#/channels/billing/messages/" + type)));
  }
  EXPECT_EQ(Message(document, "lock").at("payload").at("properties").at("details").at("required"),
            json::array({"event", "uuid"}));
}

TEST(AsyncApiTest, TellsExchangesQueuesAndReplies) {
  Installation iq(WithoutTables());
  const json document = DocumentOf(iq);
  const json& channels = document.at("channels");
  const json commands = channels.at("billing").at("bindings").at("amqp");
  EXPECT_EQ(channels.at("billing").at("x-iq-queue"), "billing");
  EXPECT_EQ(commands.at("exchange").at("name"), "billing");
  EXPECT_EQ(commands.at("exchange").at("type"), "direct");
  const json event = channels.at("balance.income");
  EXPECT_EQ(event.at("address"), "balance.income");
  EXPECT_EQ(event.at("bindings").at("amqp").at("exchange").at("name"), "billing.events");
  EXPECT_EQ(event.at("bindings").at("amqp").at("exchange").at("type"), "topic");
  EXPECT_EQ(channels.at("billing.dead").at("bindings").at("amqp").at("queue").at("name"),
            "billing.dead");
  EXPECT_FALSE(channels.contains("events")) << "these plugins say which events they emit";
  const json& operations = document.at("operations");
  EXPECT_EQ(operations.at("send.balance.income").at("action"), "send");
  EXPECT_EQ(operations.at("send.billing.dead").at("action"), "send");
  const json& receive = operations.at("receive.billing");
  EXPECT_EQ(receive.at("action"), "receive");
  EXPECT_EQ(receive.at("reply").at("channel"), Reference("#/channels/reply"));
  EXPECT_EQ(receive.at("reply").at("address").at("location"), "$message.header#/reply_to");
  EXPECT_EQ(channels.at("reply").at("address"), json());
  EXPECT_EQ(document.contains("servers"), ChosenProfile() == ProfileName::kServers);
}

TEST(AsyncApiTest, ReferencesLeadSomewhere) {
  PluginFolder plugins{"swap_1.so", "listen_1.so"};
  const json document = DocumentWith(plugins);
  std::vector<std::string> references;
  CollectReferences(document, references);
  EXPECT_THAT(references, Not(IsEmpty()));
  for (const std::string& reference : references) {
    ASSERT_EQ(reference.substr(0, 2), "#/");
    EXPECT_TRUE(document.contains(json::json_pointer(reference.substr(1)))) << reference;
  }
}

TEST(AsyncApiTest, NeedsNoServerAndTellsNoSecret) {
  InstallationOptions options = WithoutTables();
  options.store_url = "postgresql://user:geheim1@nowhere.invalid:1/db";
  options.broker_url = "amqps://user:geheim2@nowhere.invalid:5673/shop";
  options.locks_url = "redis://:geheim3@nowhere.invalid:1/0";
  options.security = "require_signature: true, keys: [geheim4]";
  options.plugin_settings = "{income: {password: geheim5}}";
  Installation iq(options);
  const CliResult result = iq.Cli({"asyncapi"});
  EXPECT_EQ(result.status, kDone) << result.err;
  EXPECT_THAT(result.out + result.err, Not(HasSubstr("geheim")));
  const json document = json::parse(result.out);
  const json server = document.at("servers").at("broker");
  EXPECT_EQ(server.at("host"), "nowhere.invalid:5673");
  EXPECT_EQ(server.at("protocol"), "amqps");
  EXPECT_EQ(
      document.at("channels").at("billing").at("bindings").at("amqp").at("exchange").at("vhost"),
      "shop");
  EXPECT_EQ(document.at("components").at("schemas").at("commandHeaders").at("required"),
            json::array({"x-iq-signature"}));
}

TEST(AsyncApiTest, APluginThatIsDroppedInAddsWhatItServes) {
  PluginFolder plugins{"swap_1.so"};
  const json document = DocumentWith(plugins);
  EXPECT_EQ(Message(document, "test.swap").at("payload"),
            json::parse(R"({"type": "object", "properties": {"type": {"const": "test.swap"}},
                            "required": ["type"]})"));
  for (const std::string& type : kTypes) EXPECT_TRUE(Message(document, type).is_object());
  const json others = document.at("channels").at("events");
  EXPECT_THAT(others.at("description").get<std::string>(),
              AllOf(HasSubstr("swap/1.0.0"), Not(HasSubstr("income"))));
  EXPECT_EQ(others.at("messages"), json({{"event", Reference("#/components/messages/event")}}));
}

TEST(AsyncApiTest, AListenersQueueIsAChannelWithTheEventsItHears) {
  PluginFolder plugins;
  plugins.Link(IQ_BINARY_DIR "/examples/", "large_movements.so", "large_movements.so");
  const json document = DocumentWith(plugins);
  const std::string queue = "billing.events.large_movements.movements";
  const json channel = document.at("channels").at(queue);
  EXPECT_EQ(channel.at("bindings").at("amqp").at("queue").at("name"), queue);
  std::vector<std::string> heard;
  for (const auto& [key, message] : channel.at("messages").items()) heard.push_back(key);
  EXPECT_THAT(heard, testing::UnorderedElementsAre("balance.income", "balance.lock",
                                                   "balance.transfer", "balance.withdraw"));
  EXPECT_EQ(document.at("operations").at("receive." + queue).at("action"), "receive");
}

TEST(AsyncApiTest, WhatIsRefusedIsNamedAndTheRestIsTold) {
  PluginFolder plugins{"no_entry.so"};
  Installation iq(With(plugins));
  const CliResult result = iq.Cli({"asyncapi"});
  EXPECT_EQ(result.status, kDone);
  EXPECT_THAT(result.err, AllOf(HasSubstr("plugin refused"), HasSubstr("no_entry.so")));
  EXPECT_TRUE(Message(json::parse(result.out), "income").is_object());
}

TEST(AsyncApiTest, WithoutAWholeDocumentThereIsNone) {
  const TemporaryDirectory empty("asyncapi-test");
  PluginFolder slipshod{"slipshod_events.so"};
  InstallationOptions options = WithoutTables();
  for (const auto& [folder, says] : std::vector<std::pair<std::string, std::string>>{
           {empty.path(), "plugins.directory"}, {slipshod.path(), "mend its kEvents"}}) {
    options.plugins = folder;
    Installation iq(options);
    const CliResult result = iq.Cli({"asyncapi"});
    EXPECT_EQ(result.status, kFailed) << folder;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, AllOf(testing::StartsWith("iq: "), HasSubstr(says)));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

// A host carries out one command of each kind; all that it sends is as the document says.
class AsyncApiHostTest : public testing::Test {
 protected:
  AsyncApiHostTest() : document_(DocumentOf(iq_)) {
    replies_ = iq_.broker().DeclareTemporaryQueue();
    for (const std::int64_t user : {1, 2}) iq_.OpenAccount(user, 10'000);
    iq_.StartHosts();
  }
  ~AsyncApiHostTest() override { iq_.StopHosts(); }

  void ExpectAsTold(const std::string& body, const std::string& event) {
    AmqpPublishing command{.exchange = "billing", .key = "", .body = body};
    command.properties.message_id = NewId();
    command.properties.reply_to = replies_;
    iq_.broker().Publish({command});
    const auto events = iq_.NextEvents(1);
    const auto answers = iq_.broker().Consume(replies_, 1, 20s);
    ASSERT_EQ(events.size(), 1U) << body << iq_.Log();
    ASSERT_EQ(answers.size(), 1U) << body << iq_.Log();
    EXPECT_EQ(events[0].key, event);
    ExpectFits(document_, event, events[0].body);
    ExpectFits(document_, "reply", answers[0].body);
  }

 private:
  Installation iq_;
  json document_;
  std::string replies_;
};

TEST_F(AsyncApiHostTest, EventsAndRepliesAreAsTold) {
  ExpectAsTold(Body("income", 1), "balance.income");
  ExpectAsTold(Body("withdraw", 1), "balance.withdraw");
  ExpectAsTold(Body("transfer", 1, "1", R"({"userFromId":2})"), "balance.transfer");
  for (const char* event : {"lock", "withdraw"}) {
    ExpectAsTold(Body("lock", 1, "1", HoldDetails(event, "a hold")), "balance.lock");
  }
  ExpectAsTold(Body("withdraw", 1, "500"), "command.rejected");
}

}  // namespace
}  // namespace iq::test
