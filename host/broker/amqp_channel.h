// The AMQP methods the host uses, on one channel of a connection of its own, and what the broker
// sends there, put together from its frames.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "host/broker/amqp_connection.h"
#include "host/broker/broker.h"

namespace iq {

// What the broker sends by itself. `message` is a basic.return's; its sequence number is not told.
struct AmqpReturn {
  Address address;
  Message message;
};
struct AmqpConfirm {
  std::uint64_t sequence = 0;  // Counts the publications on the channel from 1.
  bool multiple = false;       // All up to `sequence`.
  bool taken = false;          // False: the broker could not take responsibility.
};
struct AmqpConsumerGone {};  // The consumer's queue was deleted, or its node went away.
using AmqpNews = std::variant<Delivery, AmqpReturn, AmqpConfirm, AmqpConsumerGone>;

// Every call but the constructor's may throw AmqpClosed as well; the channel is then useless.
// Not thread-safe.
class AmqpChannel {
 public:
  using Clock = std::chrono::steady_clock;

  // Throws AmqpClosed.
  AmqpChannel(const AmqpUrl& url, const std::string& connection_name);

  bool blocked() const { return connection_.blocked(); }
  int fd() const { return connection_.fd(); }

  // The next piece of news, waiting for it until `deadline`. Of a message that has come in part
  // the rest is awaited by the next call. A Delivery's epoch is left to the caller.
  std::optional<AmqpNews> Next(Clock::time_point deadline);

  void DeclareExchange(const std::string& name, const std::string& type);
  void DeclareQueue(const std::string& name, const Headers& arguments);
  // Of this connection alone. Named by the broker where `name` is empty. Returns the name.
  std::string DeclarePrivateQueue(const std::string& name);
  void Bind(const std::string& queue, const std::string& exchange, const std::string& routing_key);
  // Code 404 when there is no such queue.
  Broker::QueueState Inspect(const std::string& queue);

  void SetPrefetch(std::uint16_t prefetch);
  // Returns the consumer tag, which the broker makes up where `tag` is empty.
  std::string Consume(const std::string& queue, bool acks, const std::string& tag = "");
  // When it returns, no delivery will come that Next() with a past deadline does not give.
  void Cancel(const std::string& consumer_tag);
  void Ack(std::uint64_t tag, bool multiple);
  void Requeue(std::uint64_t tag);

  // From here on what is acked or published counts once it is committed. A channel has either
  // transactions or confirms.
  void SelectTransactions();
  void Commit();

  void SelectConfirms();
  void Publish(const Address& address, const Message& message, bool mandatory);
  // Whether a message of about `bytes`, the next one, can be written without waiting for the broker
  // to read. One that is larger than the kernel's buffer can only where nothing else is in it.
  bool Reserve(std::size_t bytes);
  void Hold(bool on) { connection_.Hold(on); }

 private:
  // A method whose content is on its way. Not begun while `expected` is Nothing.
  struct Assembly {
    enum class Kind { kNothing, kDelivery, kReturn };
    Kind kind = Kind::kNothing;
    Delivery delivery;
    std::optional<std::uint64_t> body_left;  // Bytes; empty until the header has come.
  };

  std::optional<AmqpNews> Take(const amqp_frame_t& frame);
  std::optional<AmqpNews> TakeMethod(const amqp_method_t& method);
  std::optional<AmqpNews> TakeContent(const amqp_frame_t& frame);
  void Begin(Assembly::Kind kind, amqp_bytes_t exchange, amqp_bytes_t routing_key);

  AmqpConnection connection_;
  std::size_t room_ = 0;  // What Reserve() may give away before it asks the kernel again.
  Assembly assembly_;
};

}  // namespace iq
