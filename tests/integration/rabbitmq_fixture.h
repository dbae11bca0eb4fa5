// A RabbitMQ for the tests of the broker's driver, and the few words they are written in.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/broker/broker.h"
#include "tests/support/amqp_client.h"
#include "tests/support/eventually.h"
#include "tests/support/servers.h"

namespace iq::test {

inline std::uint16_t PortOf(const std::string& url) {
  return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
}

class RabbitTest : public ::testing::Test {
 protected:
  static constexpr std::chrono::seconds kDeadline{30};

  RabbitTest() : broker_(OpenBroker(server().broker_url(), "iq-test")), client_(MakeClient()) {}

  static Servers& server() {
    static Servers servers{Server::kRabbit};
    return servers;
  }
  static std::unique_ptr<AmqpClient> MakeClient() {
    return std::make_unique<AmqpClient>(server().broker_url());
  }

  Broker& broker() { return *broker_; }
  AmqpClient& client() { return *client_; }
  // After the broker was restarted.
  void RenewClient() { client_ = MakeClient(); }

  // A queue of this test alone: `name` with the test's name before it.
  static std::string Own(std::string_view name) {
    return fmt::format("{}.{}", ::testing::UnitTest::GetInstance()->current_test_info()->name(),
                       name);
  }
  std::string DeclareQueue(std::string_view name, Headers arguments = {}) {
    Topology topology;
    topology.queues.push_back({Own(name), std::move(arguments), "consumers[0].queue_type"});
    broker().Declare(topology);
    return Own(name);
  }

  // RabbitMQ writes what it knows of a new queue to disk up to a second later: one that is killed
  // before has never heard of the queue, nor of the messages it has confirmed. After this it has.
  static void SettleQueues() { server().Rabbitmqctl({"eval", "mnesia:dump_log()."}); }

  // Publishes the bodies to a queue, confirmed.
  void Fill(const std::string& queue, const std::vector<std::string>& bodies) {
    for (const auto& body : bodies) client().Publish("", queue, body);
  }

  // Takes the queue's first message.
  std::string NextBody(const std::string& queue) {
    const auto got = client().Get(queue);
    return got ? got->body : "(the queue is empty)";
  }

  static Message Text(std::string body) {
    Message message;
    message.body = std::move(body);
    return message;
  }

  // Receives until there are `count` or the deadline has passed.
  static std::vector<Delivery> ReceiveSome(Consumer& consumer, std::size_t count) {
    std::vector<Delivery> all;
    (void)Eventually(kDeadline, [&] {
      for (auto& one : consumer.Receive(count - all.size(), std::chrono::milliseconds{20})) {
        all.push_back(std::move(one));
      }
      return all.size() >= count;
    });
    return all;
  }

  static bool ConfirmAll(Publisher& publisher) {
    return Eventually(kDeadline, [&] {
      (void)publisher.Collect(std::chrono::milliseconds{50});
      return publisher.unconfirmed() == 0;
    });
  }

  static std::vector<std::string> Bodies(const std::vector<Delivery>& deliveries) {
    std::vector<std::string> bodies;
    for (const auto& delivery : deliveries) bodies.push_back(delivery.message.body);
    return bodies;
  }

 private:
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<AmqpClient> client_;
};

}  // namespace iq::test
