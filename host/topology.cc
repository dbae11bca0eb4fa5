#include "host/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace iq {
namespace {

HeaderValue Text(std::string text) { return {std::move(text)}; }

// The broker's default way of dead-lettering may lose a message; this one needs a quorum queue that
// rejects what it has no room for. Source: RabbitMQ documentation, "Quorum Queues", at-least-once.
Headers MovesSafelyTo(const std::string& queue) {
  return {{"x-queue-type", Text("quorum")},
          {"x-dead-letter-exchange", Text("")},
          {"x-dead-letter-routing-key", Text(queue)},
          {"x-dead-letter-strategy", Text("at-least-once")},
          {"x-overflow", Text("reject-publish")}};
}

Headers CommandQueue(ConsumerConfig::QueueType type, const std::string& dead_letter_queue) {
  if (type == ConsumerConfig::QueueType::kClassic) return {};
  return MovesSafelyTo(dead_letter_queue);
}

void AddDelayQueues(Topology& topology, const Config& config, const std::string& queue) {
  for (const auto delay : config.retry.delays) {
    Headers arguments = MovesSafelyTo(queue);
    arguments["x-message-ttl"] = {delay.count()};
    topology.queues.push_back({DelayQueue(queue, delay), arguments, "retry.delays"});
  }
}

}  // namespace

std::string DelayQueue(const std::string& queue, std::chrono::milliseconds delay) {
  return fmt::format("{}.delay.{}ms", queue, delay.count());
}

std::chrono::milliseconds DelayAfter(const RetryConfig& retry, std::uint32_t attempts_made) {
  return retry.delays[std::min<std::size_t>(attempts_made, retry.delays.size()) - 1];
}

Topology MakeTopology(const Config& config) {
  Topology topology;
  topology.exchanges.push_back({config.events.exchange, "topic", "events.exchange"});
  topology.queues.push_back(
      {config.dead_letter.queue, {{"x-queue-type", Text("quorum")}}, "dead_letter.queue"});
  std::set<std::string> exchanges;
  for (const ConsumerConfig& consumer : config.consumers) {
    if (exchanges.insert(consumer.exchange).second) {
      topology.exchanges.push_back({consumer.exchange, "direct", "consumers[].exchange"});
    }
    topology.queues.push_back({consumer.queue,
                               CommandQueue(consumer.queue_type, config.dead_letter.queue),
                               "consumers[].queue_type"});
    // The original's producers publish with an empty routing key.
    topology.bindings.push_back({consumer.exchange, consumer.queue, ""});
    topology.bindings.push_back({consumer.exchange, consumer.queue, consumer.queue});
    AddDelayQueues(topology, config, consumer.queue);
  }
  return topology;
}

std::string ListenerQueue(const Config& config, const std::string& listener) {
  return fmt::format("{}.{}", config.events.exchange, listener);
}

Topology MakeListenerTopology(const Config& config, const std::string& listener,
                              const std::string& pattern) {
  const std::string queue = ListenerQueue(config, listener);
  Topology topology;
  topology.queues.push_back({queue, MovesSafelyTo(config.dead_letter.queue), "events.exchange"});
  topology.bindings.push_back({config.events.exchange, queue, pattern});
  AddDelayQueues(topology, config, queue);
  return topology;
}

std::string ListenerOf(const Config& config, const std::string& queue) {
  const bool of_commands =
      std::any_of(config.consumers.begin(), config.consumers.end(),
                  [&](const ConsumerConfig& consumer) { return consumer.queue == queue; });
  const std::string prefix = config.events.exchange + ".";
  return of_commands || !queue.starts_with(prefix) ? std::string() : queue.substr(prefix.size());
}

}  // namespace iq
