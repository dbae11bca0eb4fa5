// A producer, consumer and observer of queues for tests, independent of the host's own client.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace iq::test {

class AmqpError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// An empty string is a property that is not set. What is published is persistent.
struct AmqpProperties {
  std::string message_id{};
  std::string correlation_id{};
  std::string reply_to{};
  std::string type{};
  std::string content_type{};
  std::string content_encoding{};
  std::string app_id{};
  std::string expiration{};
  std::optional<std::uint8_t> priority{};
  std::optional<std::uint64_t> timestamp{};  // Seconds since 1970.
  // Published as text. Received values of other types are turned into text: numbers in decimal,
  // true and false, arrays as [a,b], tables as {key=value,…}.
  std::map<std::string, std::string> headers{};

  bool operator==(const AmqpProperties&) const = default;
};

struct AmqpPublishing {
  std::string exchange{};
  std::string key{};
  std::string body{};
  AmqpProperties properties{};
};

struct AmqpDelivery {
  std::string body{};
  std::string exchange{};
  std::string key{};
  bool redelivered = false;
  std::uint8_t delivery_mode = 0;  // 2: persistent.
  AmqpProperties properties{};

  bool operator==(const AmqpDelivery&) const = default;
};

using AmqpArguments = std::map<std::string, std::variant<std::int64_t, bool, std::string>>;

// One connection, made on first use and again after a loss. Every call throws AmqpError when it did
// not succeed. A refusal by the broker (no such queue, no route, …) leaves the connection, and thus
// the temporary queues, in place. Not thread-safe.
class AmqpClient {
 public:
  explicit AmqpClient(const std::string& url);
  AmqpClient(const AmqpClient&) = delete;
  AmqpClient& operator=(const AmqpClient&) = delete;
  ~AmqpClient();

  // Returns when the broker has taken the message over. Throws when it refuses it or, unless
  // `mandatory` is false, when no queue wants it.
  void Publish(const std::string& exchange, const std::string& key, std::string_view body,
               const AmqpProperties& properties = {}, bool mandatory = true);

  // The same for many: sends them one after the other and awaits the confirmations at the end.
  // Throws unless all were confirmed; which ones were is then unknown.
  void PublishAll(const std::vector<AmqpPublishing>& publishings, bool mandatory = true);

  // Makes a queue that ends with this client's connection; returns its name. It keeps its messages
  // on disk: a million of them in the broker's memory make it pause for seconds.
  std::string DeclareTemporaryQueue();
  void DeclareDurableQueue(const std::string& queue, const AmqpArguments& arguments = {});
  void DeclareExchange(const std::string& exchange, const std::string& type);  // Durable.
  void Bind(const std::string& queue, const std::string& exchange, const std::string& key);
  void Purge(const std::string& queue);
  void DeleteQueue(const std::string& queue);  // No error when there is none.
  bool QueueExists(const std::string& queue);

  std::size_t Depth(const std::string& queue);  // Messages ready, without those delivered unacked.
  std::size_t Consumers(const std::string& queue);

  // Takes the next message and acknowledges it; nullopt when the queue is empty.
  std::optional<AmqpDelivery> Get(const std::string& queue);

  // Takes messages until there are `count` or `deadline` has passed; never more than `count`.
  std::vector<AmqpDelivery> Consume(const std::string& queue, std::size_t count,
                                    std::chrono::milliseconds deadline);

 private:
  class Connection;

  Connection& Connected();
  // Runs `call` and puts the connection in order again when it fails, or drops it.
  template <typename F>
  auto Do(F call);
  void Reopen();

  std::string url_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace iq::test
