// What the host needs of a message broker, in the terms of AMQP 0-9-1.
//
// Connections mend themselves: after a loss each object below reconnects with jitter, declares the
// topology again and goes on; it logs the outage once when it begins and once when it ends. So no
// call but those that say so throws for a server that is down, or a file that cannot be written.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/broker/message.h"

namespace iq {

// `arguments` are the queue's x-arguments. All queues and exchanges are durable.
struct QueueSpec {
  std::string name;
  Headers arguments;
  std::string setting;  // The configuration key that decides the arguments, for the error's text.
};
struct ExchangeSpec {
  std::string name;
  std::string type;     // "direct" or "topic".
  std::string setting;  // The configuration key that names it.
};
struct BindingSpec {
  std::string exchange;
  std::string queue;
  std::string routing_key;
};
struct Topology {
  std::vector<ExchangeSpec> exchanges;
  std::vector<QueueSpec> queues;
  std::vector<BindingSpec> bindings;
};

// A queue or exchange stands already, with other arguments. what() names it and the setting.
class TopologyMismatch : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Where a message goes. The default exchange is "".
struct Address {
  std::string exchange;
  std::string routing_key;
};

struct Delivery {
  std::uint64_t epoch = 0;  // The consumer's when it came; a tag means nothing in another one.
  std::uint64_t tag = 0;
  bool redelivered = false;
  Address address;  // As it was published, or as its delay queue sent it on.
  Message message;
};

// Not thread-safe: belongs to one thread, as all below.
class Consumer {
 public:
  virtual ~Consumer() = default;

  // Waits at most `wait` for a first delivery, then takes those that have already arrived, up to
  // `max` in all, never waiting for company. Empty when nothing came, or while the broker is away;
  // it then waits for `wait` too, so that a caller's loop does not spin. Call it at least every
  // few seconds (`wait` may be 0, `max` too): it is also what answers heartbeats.
  virtual std::vector<Delivery> Receive(std::size_t max, std::chrono::milliseconds wait) = 0;

  // Grows by one with each loss that ended the deliveries (RabbitMQ: with each channel). Those of
  // an older epoch went back to the broker and will come again: they can neither be acked nor
  // requeued any more.
  virtual std::uint64_t epoch() const = 0;
  virtual bool connected() const = 0;

  // What poll() finds readable when there is something for Receive(), -1 where nothing tells. To be
  // asked for anew each time: it is another one with each connection.
  virtual int news_fd() const { return -1; }

  // Both do nothing when `epoch` is not the current one. With `multiple`, every unsettled delivery
  // of that epoch up to `tag` is acked. A loss on the way shows as a new epoch.
  virtual void Ack(std::uint64_t epoch, std::uint64_t tag, bool multiple) = 0;
  virtual void Requeue(std::uint64_t epoch, std::uint64_t tag) = 0;

  // No more deliveries: what had arrived and was not yet received goes back to the queue, and
  // Receive(0, wait) goes on answering heartbeats. Acks still work. Cannot be undone.
  virtual void Cancel() = 0;
};

// Publishes with confirms. Holds each message until the broker has confirmed it, and publishes it
// again after a lost connection, a nack or, where it must be routed, a return (after declaring the
// topology anew). So a message may arrive more than once, and a receipt is always good news.
class Publisher {
 public:
  using Number = std::uint64_t;
  enum class Routing {
    kOptional,  // No queue bound is no error: an event nobody listens to, a reply nobody awaits.
    kRequired,  // It must reach a queue.
  };

  virtual ~Publisher() = default;

  // Takes the message; never blocks. Numbers grow from 1.
  virtual Number Publish(Address address, Message message, Routing routing) = 0;

  // Sends what is waiting, waits at most `wait` for the first news where something is unconfirmed,
  // and returns the numbers that were confirmed since the last call. Answers heartbeats as well:
  // call it at least every few seconds.
  virtual std::vector<Number> Collect(std::chrono::milliseconds wait) = 0;

  // Drops a message that is not confirmed yet: it may or may not arrive. No receipt follows.
  virtual void Forget(Number number) = 0;

  virtual std::size_t unconfirmed() const = 0;

  // The broker has told us that it takes no messages for now (a memory or disk alarm).
  virtual bool blocked() const = 0;

  // Collect() without a wait writes and reads what it can at once: it need not connect, nor wait
  // for anybody. False where it cannot tell.
  virtual bool ready() const { return false; }

  // As a Consumer's, for Collect().
  virtual int news_fd() const { return -1; }
};

// Waits until there is something to receive or to collect, for at most `wait`, and for less where
// one of them cannot tell. Call after both were asked without a wait: what they have read already
// is no news.
void AwaitNews(const Consumer& consumer, const Publisher& publisher,
               std::chrono::milliseconds wait);

// Walks a queue from its head; nobody else is given what the walk has come to. What was not removed
// goes back, in place, when it is destroyed.
class Browser {
 public:
  virtual ~Browser() = default;

  // Empty at the queue's end. Throws Unavailable; the walk is then over.
  virtual std::optional<Delivery> Next() = 0;

  // Takes the deliveries of this walk that have these tags out of the queue for good. Throws
  // Unavailable: any of them may then still be in the queue.
  virtual void Remove(std::span<const std::uint64_t> tags) = 0;
  void Remove(const Delivery& delivery) { Remove(std::span(&delivery.tag, 1)); }
};

// Opens connections. Thread-safe: each object it returns has a connection of its own.
class Broker {
 public:
  virtual ~Broker() = default;

  // "rabbitmq at HOST:PORT" or "sqlite file PATH", for messages to people.
  virtual std::string name() const = 0;

  // Declares everything, and again whenever a connection is made from here on. Throws Unavailable
  // and TopologyMismatch; nothing that stands is changed.
  virtual void Declare(const Topology& topology) = 0;

  // Connects on first use. `prefetch` is the most deliveries that may be unsettled at a time.
  virtual std::unique_ptr<Consumer> Consume(const std::string& queue, std::uint16_t prefetch) = 0;
  virtual std::unique_ptr<Publisher> OpenPublisher() = 0;

  // A queue of its own for as long as the Consumer lives, bound to `exchange` with `pattern`;
  // bound when the call returns. Deliveries need no ack. Throws Unavailable.
  virtual std::unique_ptr<Consumer> Subscribe(const std::string& exchange,
                                              const std::string& pattern) = 0;

  // A queue of its own for as long as the Consumer lives, which anybody reaches through the default
  // exchange by its name; there when the call returns. The name stays, but a new epoch may mean
  // that messages were lost: ask again. Deliveries need no ack. Throws Unavailable.
  struct ReplyQueue {
    std::string name;
    std::unique_ptr<Consumer> consumer;
  };
  virtual ReplyQueue OpenReplyQueue() = 0;

  // Throws Unavailable; UsageError when there is no such queue.
  virtual std::unique_ptr<Browser> Browse(const std::string& queue) = 0;

  struct QueueState {
    std::uint64_t ready = 0;  // Messages waiting to be delivered.
    std::uint64_t consumers = 0;
  };
  // Empty when there is no such queue. Throws Unavailable.
  virtual std::optional<QueueState> Inspect(const std::string& queue) = 0;
};

// `url` is amqp://USER:PASSWORD@HOST:PORT/VHOST (or amqps://), or sqlite:PATH: a broker within that
// file, which any number of processes on one machine share. Throws UsageError when it is neither.
// Does not connect yet. `connection_name` is what RabbitMQ's own tools show.
std::unique_ptr<Broker> OpenBroker(const std::string& url, const std::string& connection_name);

}  // namespace iq
