#include "host/broker/embedded_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "host/base/error.h"
#include "host/broker/embedded_message.h"
#include "host/broker/topic_pattern.h"

namespace iq::embedded {
namespace {

std::optional<std::string> TextArgument(const HeaderValue::Table& arguments, const char* name) {
  const auto found = arguments.find(name);
  if (found == arguments.end() || found->second.text() == nullptr) return std::nullopt;
  return *found->second.text();
}

Queue ReadQueue(std::int64_t id, std::string name, const Headers& arguments) {
  Queue queue;
  queue.id = id;
  queue.name = std::move(name);
  const auto ttl = arguments.find("x-message-ttl");
  if (ttl != arguments.end()) {
    const auto* const ms = std::get_if<std::int64_t>(&ttl->second.value);
    if (ms != nullptr && *ms >= 0) queue.ttl_ms = *ms;
  }
  queue.dead_letter_exchange = TextArgument(arguments, "x-dead-letter-exchange");
  queue.dead_letter_routing_key = TextArgument(arguments, "x-dead-letter-routing-key");
  return queue;
}

}  // namespace

Headers ReadArguments(const std::string& queue, std::string_view arguments_json,
                      const sqlite::Database& database) {
  try {
    return TableFromJson(arguments_json);
  } catch (const std::exception& error) {
    throw Unavailable(
        fmt::format("sqlite file {}: the arguments of queue \"{}\" are damaged ({}); mend its row "
                    "in iq_broker_queue, or delete it with what is in the queue",
                    database.path(), queue, error.what()));
  }
}

Address DeadLetterAddress(const Queue& queue, const std::string& routing_key) {
  return {queue.dead_letter_exchange.value_or(""),
          queue.dead_letter_routing_key.value_or(routing_key)};
}

bool Routes::Refresh(sqlite::Database& database) {
  std::int64_t version = 0;
  {
    auto statement = database.Prepare("SELECT topology FROM iq_broker_meta");
    if (statement.Step()) version = statement.Integer(0);
  }
  if (version == version_) return false;
  version_ = -1;
  Load(database);
  version_ = version;
  return true;
}

void Routes::Load(sqlite::Database& database) {
  LoadQueues(database);
  std::map<std::int64_t, const Queue*> by_id;
  for (const auto& [name, queue] : queues_) {
    by_id[queue.id] = &queue;
    if (queue.ttl_ms) delays_.push_back(&queue);
  }
  exchanges_.clear();
  auto exchanges = database.Prepare("SELECT name, type FROM iq_broker_exchange");
  while (exchanges.Step()) {
    exchanges_[std::string(exchanges.Text(0))].topic = exchanges.Text(1) == "topic";
  }
  auto bindings = database.Prepare("SELECT exchange, routing_key, queue FROM iq_broker_binding");
  while (bindings.Step()) {
    const auto exchange = exchanges_.find(std::string(bindings.Text(0)));
    const auto queue = by_id.find(bindings.Integer(2));
    if (exchange == exchanges_.end() || queue == by_id.end()) continue;
    exchange->second.bindings.emplace(bindings.Text(1), queue->second);
  }
}

void Routes::LoadQueues(sqlite::Database& database) {
  delays_.clear();
  queues_.clear();
  auto statement = database.Prepare("SELECT id, name, arguments FROM iq_broker_queue");
  while (statement.Step()) {
    std::string name(statement.Text(1));
    const Headers arguments = ReadArguments(name, statement.Text(2), database);
    queues_[name] = ReadQueue(statement.Integer(0), name, arguments);
  }
}

const Queue* Routes::Find(const std::string& queue) const {
  const auto found = queues_.find(queue);
  return found == queues_.end() ? nullptr : &found->second;
}

std::optional<std::vector<const Queue*>> Routes::Match(const Address& address) const {
  std::vector<const Queue*> matches;
  if (address.exchange.empty()) {
    if (const Queue* const queue = Find(address.routing_key)) matches.push_back(queue);
    return matches;
  }
  const auto found = exchanges_.find(address.exchange);
  if (found == exchanges_.end()) return std::nullopt;
  const auto& [topic, bindings] = found->second;
  if (topic) {
    for (const auto& [pattern, queue] : bindings) {
      if (TopicMatches(pattern, address.routing_key)) matches.push_back(queue);
    }
  } else {
    const auto [begin, end] = bindings.equal_range(address.routing_key);
    for (auto binding = begin; binding != end; ++binding) matches.push_back(binding->second);
  }
  std::sort(matches.begin(), matches.end());
  matches.erase(std::unique(matches.begin(), matches.end()), matches.end());
  return matches;
}

}  // namespace iq::embedded
