#include "host/broker/embedded.h"

#include <utility>

#include "host/base/uuid.h"
#include "host/broker/embedded_browser.h"
#include "host/broker/embedded_consumer.h"
#include "host/broker/embedded_endpoint.h"
#include "host/broker/embedded_holder.h"
#include "host/broker/embedded_publisher.h"
#include "host/broker/embedded_queues.h"
#include "host/broker/embedded_routes.h"

namespace iq {
namespace {

// Each object opened here keeps the endpoint alive, so it may outlive the broker.
class EmbeddedBroker : public Broker {
 public:
  explicit EmbeddedBroker(const std::string& path)
      : endpoint_(std::make_shared<embedded::Endpoint>(path)) {}

  std::string name() const override { return endpoint_->name(); }

  void Declare(const Topology& topology) override { endpoint_->Declare(topology); }

  std::unique_ptr<Consumer> Consume(const std::string& queue, std::uint16_t prefetch) override {
    return std::make_unique<EmbeddedConsumer>(endpoint_,
                                              EmbeddedSource{.queue = queue, .prefetch = prefetch});
  }

  std::unique_ptr<Publisher> OpenPublisher() override {
    return std::make_unique<EmbeddedPublisher>(endpoint_);
  }

  std::unique_ptr<Consumer> Subscribe(const std::string& exchange,
                                      const std::string& pattern) override {
    return OpenOwn({.queue = "iq.subscription." + RandomUuid(),
                    .own = true,
                    .binding = Address{exchange, pattern}});
  }

  ReplyQueue OpenReplyQueue() override {
    std::string name = "iq.reply." + RandomUuid();
    auto consumer = OpenOwn({.queue = name, .own = true});
    return {std::move(name), std::move(consumer)};
  }

  std::unique_ptr<Browser> Browse(const std::string& queue) override {
    return std::make_unique<EmbeddedBrowser>(endpoint_, queue);
  }

  std::optional<QueueState> Inspect(const std::string& queue) override {
    return endpoint_->Attempt([&]() -> std::optional<QueueState> {
      const auto database = endpoint_->Connect(sqlite::Database::Sync::kLater);
      const LockFile locks(embedded::LockPath(*database));
      embedded::Routes routes;
      embedded::TidyUp(locks, 0, routes, *database);
      const embedded::Queue* const found = routes.Find(queue);
      if (found == nullptr) return std::nullopt;
      return QueueState{.ready = embedded::CountReady(found->id, *database),
                        .consumers = embedded::CountConsumers(found->id, locks, *database)};
    });
  }

 private:
  std::unique_ptr<Consumer> OpenOwn(EmbeddedSource source) {
    auto consumer = std::make_unique<EmbeddedConsumer>(endpoint_, std::move(source));
    endpoint_->Attempt([&] { consumer->Open(); });
    return consumer;
  }

  const std::shared_ptr<embedded::Endpoint> endpoint_;
};

}  // namespace

std::unique_ptr<Broker> OpenEmbeddedBroker(const std::string& path) {
  return std::make_unique<EmbeddedBroker>(path);
}

}  // namespace iq
