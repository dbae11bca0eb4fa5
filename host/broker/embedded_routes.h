// Which queues a message goes to: the file's exchanges, queues and bindings, kept in memory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/broker/broker.h"
#include "host/sqlite/database.h"

namespace iq::embedded {

struct Queue {
  std::int64_t id = 0;
  std::string name;
  std::optional<std::int64_t> ttl_ms;
  std::optional<std::string> dead_letter_exchange;
  std::optional<std::string> dead_letter_routing_key;
};

// What is in iq_broker_queue of a queue with that name. Throws Unavailable where it is damaged.
Headers ReadArguments(const std::string& queue, std::string_view arguments_json,
                      const sqlite::Database& database);

// Not thread-safe.
class Routes {
 public:
  Routes() = default;
  Routes(const Routes&) = delete;
  Routes& operator=(const Routes&) = delete;

  // Reads them again where they have changed, which it returns. What it said before is then no
  // longer valid, queues included. Inside a transaction it is what that transaction sees.
  bool Refresh(sqlite::Database& database);

  // nullptr when there is none.
  const Queue* Find(const std::string& queue) const;

  // Each queue once, empty where none is bound. nullopt when there is no such exchange.
  std::optional<std::vector<const Queue*>> Match(const Address& address) const;

  // The queues with a TTL.
  const std::vector<const Queue*>& delays() const { return delays_; }

 private:
  struct Exchange {
    bool topic = false;
    std::multimap<std::string, const Queue*> bindings;  // By routing key.
  };

  void Load(sqlite::Database& database);
  void LoadQueues(sqlite::Database& database);

  std::int64_t version_ = -1;
  std::map<std::string, Queue> queues_;
  std::map<std::string, Exchange> exchanges_;
  std::vector<const Queue*> delays_;
};

// Where a message that was published with `routing_key` goes once its time in `queue` is over.
Address DeadLetterAddress(const Queue& queue, const std::string& routing_key);

}  // namespace iq::embedded
