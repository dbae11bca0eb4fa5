// What the page sends: a command, whose outcome it awaits, and accounts to try iq with.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "host/admin/acts.h"
#include "host/admin/api.h"
#include "host/broker/broker.h"
#include "host/config.h"
#include "host/store/store.h"

namespace iq {

// Thread-safe.
class SendApi {
 public:
  static constexpr std::size_t kSendingMax = 4;  // Each takes one of the endpoint's threads.

  // A command on its way. For one thread.
  class Sending {
   public:
    // Sends it. Throws ApiError and Unavailable.
    Sending(const SendApi& api, const ApiRequest& request);
    Sending(const Sending&) = delete;
    Sending& operator=(const Sending&) = delete;
    ~Sending();

    // What happens next, waited for; nothing once that was the last.
    std::optional<nlohmann::ordered_json> Next();
    // Nothing more happens: Next() has thrown.
    void End() { over_ = true; }

   private:
    using Clock = std::chrono::steady_clock;

    void Publish(Message message, const ApiRequest& request);
    std::optional<nlohmann::ordered_json> AwaitOutcome();

    const SendApi& api_;
    Broker::ReplyQueue replies_;
    Clock::time_point deadline_;
    std::chrono::seconds patience_{0};
    nlohmann::ordered_json sent_;
    bool over_ = false;
  };

  // All must outlive this object.
  SendApi(const Config& config, Broker& broker, Store& store, const Acts& acts)
      : config_(config), broker_(broker), store_(store), acts_(acts) {}

  std::shared_ptr<Sending> Begin(const ApiRequest& request) const;
  nlohmann::ordered_json Seed(const ApiRequest& request) const;

  // Whoever waits for an outcome waits no longer.
  void Stop() { stopping_ = true; }

 private:
  const Config& config_;
  Broker& broker_;
  Store& store_;
  const Acts& acts_;
  std::atomic<bool> stopping_{false};
  mutable std::atomic<std::size_t> sending_{0};
};

}  // namespace iq
