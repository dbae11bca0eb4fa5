#include "host/broker/rabbitmq.h"

#include <amqp.h>
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "host/base/error.h"
#include "host/base/log.h"
#include "host/base/uuid.h"
#include "host/broker/amqp_endpoint.h"
#include "host/broker/amqp_url.h"
#include "host/broker/rabbitmq_browser.h"
#include "host/broker/rabbitmq_consumer.h"
#include "host/broker/rabbitmq_publisher.h"

namespace iq {
namespace {

// Each object opened here keeps the endpoint alive, so it may outlive the broker.
class RabbitBroker : public Broker {
 public:
  RabbitBroker(AmqpUrl url, const std::string& connection_name)
      : endpoint_(std::make_shared<AmqpEndpoint>(std::move(url), connection_name)) {}

  std::string name() const override { return endpoint_->name(); }

  void Declare(const Topology& topology) override { endpoint_->Declare(topology); }

  std::unique_ptr<Consumer> Consume(const std::string& queue, std::uint16_t prefetch) override {
    return std::make_unique<RabbitConsumer>(endpoint_, SharedQueue{queue, prefetch});
  }

  std::unique_ptr<Publisher> OpenPublisher() override {
    return std::make_unique<RabbitPublisher>(endpoint_);
  }

  std::unique_ptr<Consumer> Subscribe(const std::string& exchange,
                                      const std::string& pattern) override {
    auto consumer = std::make_unique<RabbitConsumer>(endpoint_, Subscription{exchange, pattern});
    consumer->Open();
    return consumer;
  }

  ReplyQueue OpenReplyQueue() override {
    std::string name = "iq.reply." + RandomUuid();
    auto consumer = std::make_unique<RabbitConsumer>(endpoint_, PrivateQueue{name});
    consumer->Open();
    return {std::move(name), std::move(consumer)};
  }

  std::unique_ptr<Browser> Browse(const std::string& queue) override {
    auto channel = endpoint_->Connect();
    if (!Find(queue, *channel)) {
      throw UsageError(fmt::format("{} has no queue \"{}\"", name(), queue));
    }
    return std::make_unique<RabbitBrowser>(std::move(channel), queue);
  }

  std::optional<QueueState> Inspect(const std::string& queue) override {
    return Find(queue, *endpoint_->Connect());
  }

 private:
  static std::optional<QueueState> Find(const std::string& queue, AmqpChannel& channel) {
    try {
      return channel.Inspect(queue);
    } catch (const AmqpClosed& closed) {
      if (closed.code() != AMQP_NOT_FOUND) throw;
      return std::nullopt;
    }
  }

  const std::shared_ptr<AmqpEndpoint> endpoint_;
};

}  // namespace

std::unique_ptr<Broker> OpenRabbitBroker(const std::string& url,
                                         const std::string& connection_name) {
  AmqpUrl parsed = ParseAmqpUrl(url);
  if (!parsed.verify) {
    log::Warn(fmt::format(
        "{} may be anybody: broker.url has verify=verify_none, so its certificate is not verified",
        ServerName(parsed)));
  }
  return std::make_unique<RabbitBroker>(std::move(parsed), connection_name);
}

}  // namespace iq
