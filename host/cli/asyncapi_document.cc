#include "host/cli/asyncapi_document.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/broker/amqp_url.h"
#include "host/broker/topic_pattern.h"
#include "host/cli/asyncapi_messages.h"
#include "host/topology.h"
#include "host/version.h"

namespace iq::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kBindingVersion = "0.3.0";  // Of AsyncAPI's AMQP bindings.
constexpr const char* kMessages = "#/components/messages/";
constexpr const char* kChannels = "#/channels/";

// Keys of one map, made from names that may hold anything.
class Keys {
 public:
  // Letters, digits, dots, hyphens and underscores stay; a key that is taken gets a number.
  std::string Take(std::string_view name) {
    std::string wanted;
    for (const char character : name) {
      const bool stays = std::isalnum(static_cast<unsigned char>(character)) != 0 ||
                         std::string_view(".-_").find(character) != std::string_view::npos;
      wanted += stays ? character : '_';
    }
    std::string key = wanted;
    for (int number = 2; !taken_.insert(key).second; ++number) {
      key = fmt::format("{}_{}", wanted, number);
    }
    return key;
  }

 private:
  std::set<std::string> taken_;
};

Json Ref(const std::string& to) { return Json::object({{"$ref", to}}); }

// Empty without a server: the embedded broker is a file.
std::optional<AmqpUrl> ServerOf(const Config& config) {
  const std::string& url = config.broker.url;
  if (url.empty() || url.starts_with("sqlite:")) return std::nullopt;
  return ParseAmqpUrl(url);
}

Json Server(const AmqpUrl& url) {
  const bool is_ipv6 = url.host.find(':') != std::string::npos;
  Json server = Json::object();
  server["host"] = is_ipv6 ? fmt::format("[{}]:{}", url.host, url.port)
                           : fmt::format("{}:{}", url.host, url.port);
  server["protocol"] = url.tls ? "amqps" : "amqp";
  server["protocolVersion"] = "0-9-1";
  return server;
}

Json AmqpBinding(Json binding) {
  binding["bindingVersion"] = kBindingVersion;
  Json bindings = Json::object();
  bindings["amqp"] = std::move(binding);
  return bindings;
}

Json Receives() { return AmqpBinding(Json::object({{"ack", true}})); }
Json Sends() { return AmqpBinding(Json::object({{"deliveryMode", 2}})); }  // Persistent.

enum class Action { kReceive, kSend };

class Builder {
 public:
  Builder(const Config& config, const Served& served)
      : config_(config), served_(served), server_(ServerOf(config)) {}

  Json Build() && {
    AddCommands();
    for (const auto& [name, emitters] : served_.events) AddEvent(name, emitters);
    if (!served_.silent.empty()) AddUndeclaredEvents();
    for (const Served::Listener& listener : served_.listeners) AddListener(listener);
    AddDeadLetters();
    return Document();
  }

 private:
  using MessageKeys = std::vector<std::string>;

  Json Document() const {
    Json document = Json::object();
    document["asyncapi"] = "3.0.0";
    document["info"]["title"] = "iq";
    document["info"]["version"] = kVersion;
    document["info"]["description"] =
        "iq carries out typed commands. Each takes effect exactly once, or not at all with a "
        "reason; what it did is told in events, each at least once.";
    document["defaultContentType"] = "application/json";
    if (server_) document["servers"]["broker"] = Server(*server_);
    document["channels"] = channels_;
    document["operations"] = operations_;
    document["components"]["messages"] = messages_;
    document["components"]["schemas"] = SharedSchemas(config_);
    return document;
  }

  // `make` is told where the message will stand.
  template <typename Make>
  std::string AddMessage(const std::string& name, Make make) {
    std::string key = message_keys_.Take(name);
    messages_[key] = make(kMessages + key);
    return key;
  }

  std::string AddChannel(const std::string& name, Json channel, const MessageKeys& messages) {
    channel["messages"] = Json::object();
    for (const std::string& message : messages) {
      channel["messages"][message] = Ref(kMessages + message);
    }
    std::string key = channel_keys_.Take(name);
    channels_[key] = std::move(channel);
    return key;
  }

  // With all messages of the channel.
  Json& AddOperation(Action action, const std::string& channel, const std::string& summary) {
    const bool receives = action == Action::kReceive;
    const std::string word = receives ? "receive" : "send";
    Json& operation = operations_[operation_keys_.Take(word + "." + channel)];
    operation["action"] = word;
    operation["channel"] = Ref(kChannels + channel);
    operation["summary"] = summary;
    operation["messages"] = MessagesOf(channel);
    operation["bindings"] = receives ? Receives() : Sends();
    return operation;
  }

  Json MessagesOf(const std::string& channel) const {
    Json references = Json::array();
    for (const auto& [message, of_component] : channels_.at(channel).at("messages").items()) {
      references.push_back(Ref(fmt::format("{}{}/messages/{}", kChannels, channel, message)));
    }
    return references;
  }

  // The two kinds of channels that there are in AMQP.
  Json RoutingKey(const std::string& key, const std::string& exchange, const char* type) const {
    Json binding = Json::object({{"is", "routingKey"}});
    binding["exchange"] = Json::object({{"name", exchange},
                                        {"type", type},
                                        {"durable", true},
                                        {"autoDelete", false},
                                        {"vhost", vhost()}});
    Json channel = Json::object({{"address", key}});
    channel["bindings"] = AmqpBinding(std::move(binding));
    return channel;
  }
  Json Queue(const std::string& name) const {
    Json binding = Json::object({{"is", "queue"}});
    binding["queue"] = Json::object({{"name", name},
                                     {"durable", true},
                                     {"exclusive", false},
                                     {"autoDelete", false},
                                     {"vhost", vhost()}});
    Json channel = Json::object({{"address", name}});
    channel["bindings"] = AmqpBinding(std::move(binding));
    return channel;
  }

  std::string vhost() const { return server_ ? server_->vhost : "/"; }

  void AddCommands() {
    MessageKeys commands;
    for (const Served::Command& command : served_.commands) {
      commands.push_back(AddMessage(
          command.type, [&](const std::string& place) { return CommandMessage(command, place); }));
    }
    MessageKeys queues;
    for (const ConsumerConfig& consumer : config_.consumers) {
      queues.push_back(AddConsumer(consumer, commands));
    }
    const std::string replies = AddReplies();
    for (const std::string& queue : queues) {
      Json& reply = AddOperation(Action::kReceive, queue, "Carry out commands")["reply"];
      reply["address"]["location"] = "$message.header#/reply_to";
      reply["address"]["description"] = "The AMQP property. Without it there is no reply.";
      reply["channel"] = Ref(kChannels + replies);
      reply["messages"] = MessagesOf(replies);
    }
  }

  std::string AddConsumer(const ConsumerConfig& consumer, const MessageKeys& commands) {
    Json channel = RoutingKey(consumer.queue, consumer.exchange, "direct");
    channel["title"] = "Commands";
    channel["description"] = fmt::format(
        "Producers publish to exchange `{}` with routing key `{}` or with an empty one; queue `{}` "
        "is bound with both. What serves a command is told by its `type`.",
        consumer.exchange, consumer.queue, consumer.queue);
    channel["x-iq-queue"] = consumer.queue;
    return AddChannel(consumer.queue, std::move(channel), commands);
  }

  // The address is what each command says.
  std::string AddReplies() {
    const std::string message =
        AddMessage("reply", [](const std::string& /*place*/) { return ReplyMessage(); });
    Json channel = Json::object({{"address", nullptr}});
    channel["title"] = "Replies";
    channel["description"] =
        "Published to the default exchange, for the queue that the command's `reply_to` names.";
    return AddChannel("reply", std::move(channel), {message});
  }

  void AddEvent(const std::string& name, const std::vector<Served::Emitter>& emitters) {
    const std::string message = AddMessage(
        name, [&](const std::string& place) { return EventMessage(name, emitters, place); });
    events_.emplace_back(name, message);
    Json channel = RoutingKey(name, config_.events.exchange, "topic");
    channel["title"] = "Event";
    channel["description"] =
        fmt::format("Bind a queue of your own to exchange `{}` with this routing key.",
                    config_.events.exchange);
    AddOperation(Action::kSend, AddChannel(name, std::move(channel), {message}),
                 "Tell what became of a command");
  }

  void AddUndeclaredEvents() {
    Json channel = RoutingKey("{event}", config_.events.exchange, "topic");
    channel["title"] = "Other events";
    channel["description"] = fmt::format(
        "Of plugins that do not say which events they emit: {}. Bind a queue of your own to "
        "exchange `{}` with an event's name, or with `#` for all events.",
        fmt::join(served_.silent, ", "), config_.events.exchange);
    channel["parameters"]["event"]["description"] = "The event's name.";
    AddOperation(Action::kSend, AddChannel("events", std::move(channel), {AnyEvent()}),
                 "Tell what became of a command");
  }

  const std::string& AnyEvent() {
    if (any_event_.empty()) {
      any_event_ =
          AddMessage("event", [](const std::string& /*place*/) { return AnyEventMessage(); });
    }
    return any_event_;
  }

  // A pattern that matches nothing known is for the events of others.
  void AddListener(const Served::Listener& listener) {
    MessageKeys heard;
    for (const auto& [name, message] : events_) {
      if (TopicMatches(listener.pattern, name)) heard.push_back(message);
    }
    if (heard.empty() || !served_.silent.empty()) heard.push_back(AnyEvent());
    const std::string queue = ListenerQueue(config_, listener.label);
    Json channel = Queue(queue);
    channel["title"] = "Events for a listener";
    channel["description"] = fmt::format("The queue is bound to exchange `{}` with `{}`.",
                                         config_.events.exchange, listener.pattern);
    channel["x-iq-plugin"] = listener.plugin;
    AddOperation(Action::kReceive, AddChannel(queue, std::move(channel), heard), "Act on events");
  }

  void AddDeadLetters() {
    const std::string& queue = config_.dead_letter.queue;
    const std::string message =
        AddMessage("deadLetter", [](const std::string& /*place*/) { return DeadLetterMessage(); });
    Json channel = Queue(queue);
    channel["title"] = "Dead letters";
    channel["description"] =
        "What is invalid, was rejected or has failed too often. `iq dead` lists, retries and "
        "drops.";
    AddOperation(Action::kSend, AddChannel(queue, std::move(channel), {message}),
                 "Put aside what could not be carried out");
  }

  const Config& config_;
  const Served& served_;
  const std::optional<AmqpUrl> server_;
  Json channels_ = Json::object();
  Json operations_ = Json::object();
  Json messages_ = Json::object();
  Keys channel_keys_;
  Keys operation_keys_;
  Keys message_keys_;
  std::vector<std::pair<std::string, std::string>> events_;  // Their names and messages' keys.
  std::string any_event_;                                    // Its message's key, once it is there.
};

}  // namespace

Json AsyncApiDocument(const Config& config, const Served& served) {
  return Builder(config, served).Build();
}

}  // namespace iq::cli
