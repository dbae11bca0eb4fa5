// One connection to RabbitMQ with one open channel: how it is made, how it ends, and what the
// broker's own words for a failure become.
#pragma once

#include <amqp.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "host/base/error.h"
#include "host/broker/amqp_tls.h"
#include "host/broker/amqp_url.h"

namespace iq {

// The connection or its channel is gone. what() names the server, reason() does not.
class AmqpClosed : public Unavailable {
 public:
  AmqpClosed(const std::string& server, const std::string& reason, int code,
             Mend mend = Mend::kUsual);

  const std::string& reason() const { return reason_; }

  // AMQP's reply code (404, 406, …), or 0 where the broker said nothing: a lost connection.
  int code() const { return code_; }

  // The broker refused what was asked of it, so that asking again may well end the same way.
  bool refusal() const;

 private:
  std::string reason_;
  int code_;
};

// Any failure throws AmqpClosed, after which the connection is of no more use but to be destroyed.
// Not thread-safe.
class AmqpConnection {
 public:
  static constexpr amqp_channel_t kChannel = 1;

  // Connects, logs in and opens the channel. Takes 3 s at most to connect, and 10 s for a server
  // that answers no more.
  AmqpConnection(const AmqpUrl& url, const std::string& connection_name);

  // Says goodbye where the broker listens; waits for it half a second at most.
  ~AmqpConnection();
  AmqpConnection(const AmqpConnection&) = delete;
  AmqpConnection& operator=(const AmqpConnection&) = delete;

  amqp_connection_state_t state() const { return state_.get(); }
  const std::string& server() const { return server_; }
  int fd() const { return amqp_get_sockfd(state()); }

  // The broker does not read from this connection for now, because of an alarm.
  bool blocked() const { return blocked_; }

  // The next frame of the channel, waiting for it until `deadline`; what concerns the connection
  // as a whole is dealt with here. What a frame points to is valid until Release().
  std::optional<amqp_frame_t> NextFrame(std::chrono::steady_clock::time_point deadline);

  void Release() const { amqp_maybe_release_buffers(state()); }

  // For the librabbitmq calls that return a status, and those that await the broker's answer.
  void Check(int status);
  void CheckReply() { CheckReply(amqp_get_rpc_reply(state())); }
  void CheckReply(const amqp_rpc_reply_t& reply);
  // For an answer that did not come, or makes no sense.
  [[noreturn]] void Lost(std::string_view reason,
                         Unavailable::Mend mend = Unavailable::Mend::kUsual);

  // Bytes that can be written now without waiting for the broker to read, as the kernel counts
  // them; and whether nothing at all awaits being read by the other side.
  struct SendRoom {
    std::size_t bytes = 0;
    bool empty = true;
  };
  SendRoom send_room() const;

  // While held, small writes are gathered into full packets.
  void Hold(bool on) const;

 private:
  struct Destroy {
    void operator()(amqp_connection_state_t state) const { amqp_destroy_connection(state); }
  };
  using State = std::unique_ptr<amqp_connection_state_t_, Destroy>;

  amqp_socket_t* NewSocket();
  void OpenSocket(const AmqpUrl& url);
  void Login(const AmqpUrl& url, const std::string& connection_name);
  // Whether the frame was about the connection as a whole.
  bool Handle(const amqp_frame_t& frame);
  [[noreturn]] void ClosedByBroker(const amqp_method_t& method);

  std::string server_;
  std::optional<AmqpTls> tls_;  // Empty for amqp://.
  State state_;
  bool up_ = false;  // Logged in, and not closed since.
  bool blocked_ = false;
};

// "rabbitmq at HOST:PORT".
std::string ServerName(const AmqpUrl& url);

}  // namespace iq
