// The queues of an installation, as its producers and subscribers see them.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/support/amqp_client.h"
#include "tests/support/process.h"

namespace iq::test {

// One connection. Every call throws AmqpError when it did not succeed. Not thread-safe.
class TestBroker {
 public:
  TestBroker() = default;
  TestBroker(const TestBroker&) = delete;
  TestBroker& operator=(const TestBroker&) = delete;
  virtual ~TestBroker() = default;

  // Returns when the broker has all of them; each must reach a queue.
  virtual void Publish(const std::vector<AmqpPublishing>& publishings) = 0;

  // The same, so that `host`, the only one that consumes, finds all of them at once.
  virtual void PublishAtOnce(const std::vector<AmqpPublishing>& publishings, Process& host) = 0;

  // A queue that lasts as long as this object; returns its name.
  virtual std::string DeclareTemporaryQueue() = 0;
  virtual void DeclareDurableQueue(const std::string& queue) = 0;
  // Declares the exchange of events as well where it is missing.
  virtual void BindToEvents(const std::string& queue) = 0;

  // Takes messages until there are `count` or `deadline` has passed; never more than `count`.
  virtual std::vector<AmqpDelivery> Consume(const std::string& queue, std::size_t count,
                                            std::chrono::milliseconds deadline) = 0;

  virtual std::size_t Depth(const std::string& queue) = 0;      // Ready, without those unacked.
  virtual std::size_t Consumers(const std::string& queue) = 0;  // 0 without such a queue as well.

  // Whether the command queue and the delay queues are empty, what is unacked or on its way from
  // one to another included.
  virtual bool Drained() = 0;
};

}  // namespace iq::test
