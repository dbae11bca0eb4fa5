#include "tests/support/amqp_client.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <fmt/format.h>
#include <sys/time.h>

#include <set>
#include <utility>

#include "tests/support/amqp_fields.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

constexpr amqp_channel_t kChannel = 1;
constexpr timeval kConfirmDeadline{.tv_sec = 30, .tv_usec = 0};
constexpr timeval kConnectDeadline{.tv_sec = 5, .tv_usec = 0};
constexpr timeval kRpcDeadline{.tv_sec = 30, .tv_usec = 0};

template <typename Method>
const Method* Decoded(const amqp_method_t& method) {
  return static_cast<const Method*>(method.decoded);
}

// The broker's words when it closed channel or connection.
std::string ReasonOf(const amqp_method_t& method) {
  if (method.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const auto* close = Decoded<amqp_channel_close_t>(method);
    return fmt::format("{} {}", close->reply_code, TextOf(close->reply_text));
  }
  if (method.id == AMQP_CONNECTION_CLOSE_METHOD) {
    const auto* close = Decoded<amqp_connection_close_t>(method);
    return fmt::format("{} {}", close->reply_code, TextOf(close->reply_text));
  }
  return amqp_method_name(method.id);
}

// The broker did not take a message; the channel is open still.
class MessageRefused : public AmqpError {
 public:
  using AmqpError::AmqpError;
};

// The broker closed the channel; the connection is open still.
class ChannelClosed : public AmqpError {
 public:
  using AmqpError::AmqpError;
};

void Check(const amqp_rpc_reply_t& reply, std::string_view what) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
    return;
  }
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
      reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    throw ChannelClosed(fmt::format("{}: {}", what, ReasonOf(reply.reply)));
  }
  throw AmqpError(fmt::format("{}: {}", what,
                              reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION
                                  ? ReasonOf(reply.reply)
                                  : amqp_error_string2(reply.library_error)));
}

void Check(int status, std::string_view what) {
  if (status != AMQP_STATUS_OK) {
    throw AmqpError(fmt::format("{}: {}", what, amqp_error_string2(status)));
  }
}

}  // namespace

// A connection with one channel in confirm mode.
class AmqpClient::Connection {
 public:
  explicit Connection(std::string url) {
    amqp_connection_info parts{};
    Check(amqp_parse_url(url.data(), &parts), "url");
    amqp_socket_t* socket = amqp_tcp_socket_new(state_.get());
    Check(amqp_socket_open_noblock(socket, parts.host, parts.port, &kConnectDeadline), "connect");
    Check(amqp_set_rpc_timeout(state_.get(), &kRpcDeadline), "timeout");
    Check(amqp_login(state_.get(), parts.vhost, AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE,
                     0, AMQP_SASL_METHOD_PLAIN, parts.user, parts.password),
          "login");
    OpenChannel();
  }

  // After ChannelClosed.
  void ReopenChannel() {
    amqp_channel_close_ok_t ok{};
    Check(amqp_send_method(state_.get(), kChannel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok),
          "channel.close-ok");
    OpenChannel();
  }

  amqp_connection_state_t state() { return state_.get(); }

  void CheckReply(std::string_view what) { Check(amqp_get_rpc_reply(state_.get()), what); }

  void Send(const std::string& exchange, const std::string& key, std::string_view body,
            const AmqpProperties& properties, bool mandatory) {
    const PropertyFrame frame(properties);
    Check(amqp_basic_publish(state_.get(), kChannel, BytesOf(exchange), BytesOf(key),
                             mandatory ? 1 : 0, 0, frame.get(), BytesOf(body)),
          "basic.publish");
    unconfirmed_.insert(unconfirmed_.end(), next_tag_++);
  }

  // Reads confirmations until at most `left` are outstanding. A refusal shows when none is left.
  void AwaitConfirms(std::size_t left) {
    while (unconfirmed_.size() > left) {
      amqp_frame_t frame{};
      timeval deadline = kConfirmDeadline;
      Check(amqp_simple_wait_frame_noblock(state_.get(), &frame, &deadline), "confirmation");
      if (frame.frame_type == AMQP_FRAME_METHOD) {
        Take(frame.payload.method);
      }
      amqp_maybe_release_buffers(state_.get());
    }
    if (unconfirmed_.empty() && !refusal_.empty()) {
      throw MessageRefused(std::exchange(refusal_, {}));
    }
  }

 private:
  void OpenChannel() {
    amqp_channel_open(state_.get(), kChannel);
    CheckReply("channel.open");
    amqp_confirm_select(state_.get(), kChannel);
    CheckReply("confirm.select");
    next_tag_ = 1;
    unconfirmed_.clear();
    refusal_.clear();
  }

  struct Destroy {
    void operator()(amqp_connection_state_t state) const { amqp_destroy_connection(state); }
  };

  void Take(const amqp_method_t& method) {
    switch (method.id) {
      case AMQP_BASIC_ACK_METHOD: {
        const auto* ack = Decoded<amqp_basic_ack_t>(method);
        Settle(ack->delivery_tag, ack->multiple != 0);
        return;
      }
      case AMQP_BASIC_NACK_METHOD: {
        const auto* nack = Decoded<amqp_basic_nack_t>(method);
        refusal_ = "the broker refused a message";
        Settle(nack->delivery_tag, nack->multiple != 0);
        return;
      }
      case AMQP_BASIC_RETURN_METHOD: {
        const auto* returned = Decoded<amqp_basic_return_t>(method);
        refusal_ =
            fmt::format("unroutable: {} (exchange '{}', key '{}')", TextOf(returned->reply_text),
                        TextOf(returned->exchange), TextOf(returned->routing_key));
        amqp_message_t message{};
        Check(amqp_read_message(state_.get(), kChannel, &message, 0), "returned message");
        amqp_destroy_message(&message);
        return;
      }
      case AMQP_CHANNEL_CLOSE_METHOD:
        throw ChannelClosed(ReasonOf(method));
      default:
        throw AmqpError(ReasonOf(method));
    }
  }

  void Settle(std::uint64_t tag, bool multiple) {
    if (multiple) {
      unconfirmed_.erase(unconfirmed_.begin(), unconfirmed_.upper_bound(tag));
    } else {
      unconfirmed_.erase(tag);
    }
  }

  std::unique_ptr<amqp_connection_state_t_, Destroy> state_{amqp_new_connection()};
  std::uint64_t next_tag_ = 1;
  std::set<std::uint64_t> unconfirmed_;
  std::string refusal_;
};

AmqpClient::AmqpClient(const std::string& url) : url_(url) {}
AmqpClient::~AmqpClient() = default;

AmqpClient::Connection& AmqpClient::Connected() {
  if (connection_ == nullptr) {
    connection_ = std::make_unique<Connection>(url_);
  }
  return *connection_;
}

template <typename F>
auto AmqpClient::Do(F call) {
  try {
    return call(Connected());
  } catch (const MessageRefused&) {
    throw;
  } catch (const ChannelClosed&) {
    Reopen();
    throw;
  } catch (const AmqpError&) {
    connection_.reset();
    throw;
  }
}

void AmqpClient::Reopen() {
  try {
    connection_->ReopenChannel();
  } catch (const AmqpError&) {
    // The caller is told the first error; the next call connects anew.
    connection_.reset();
  }
}

void AmqpClient::Publish(const std::string& exchange, const std::string& key, std::string_view body,
                         const AmqpProperties& properties, bool mandatory) {
  Do([&](Connection& connection) {
    connection.Send(exchange, key, body, properties, mandatory);
    connection.AwaitConfirms(0);
  });
}

void AmqpClient::PublishAll(const std::vector<AmqpPublishing>& publishings, bool mandatory) {
  constexpr std::size_t kOutstandingMax = 1000;
  Do([&](Connection& connection) {
    for (const AmqpPublishing& publishing : publishings) {
      connection.Send(publishing.exchange, publishing.key, publishing.body, publishing.properties,
                      mandatory);
      connection.AwaitConfirms(kOutstandingMax);
    }
    connection.AwaitConfirms(0);
  });
}

std::string AmqpClient::DeclareTemporaryQueue() {
  return Do([&](Connection& connection) {
    const AmqpArguments on_disk{{"x-queue-mode", "lazy"}};
    const ArgumentTable table(on_disk);
    const amqp_queue_declare_ok_t* ok = amqp_queue_declare(
        connection.state(), kChannel, amqp_empty_bytes, 0, 0, /*exclusive=*/1, 0, table.get());
    connection.CheckReply("queue.declare");
    return TextOf(ok->queue);
  });
}

void AmqpClient::DeclareDurableQueue(const std::string& queue, const AmqpArguments& arguments) {
  Do([&](Connection& connection) {
    const ArgumentTable table(arguments);
    amqp_queue_declare(connection.state(), kChannel, BytesOf(queue), 0, /*durable=*/1, 0, 0,
                       table.get());
    connection.CheckReply("queue.declare");
  });
}

void AmqpClient::DeclareExchange(const std::string& exchange, const std::string& type) {
  Do([&](Connection& connection) {
    amqp_exchange_declare(connection.state(), kChannel, BytesOf(exchange), BytesOf(type), 0,
                          /*durable=*/1, 0, 0, amqp_empty_table);
    connection.CheckReply("exchange.declare");
  });
}

void AmqpClient::Bind(const std::string& queue, const std::string& exchange,
                      const std::string& key) {
  Do([&](Connection& connection) {
    amqp_queue_bind(connection.state(), kChannel, BytesOf(queue), BytesOf(exchange), BytesOf(key),
                    amqp_empty_table);
    connection.CheckReply("queue.bind");
  });
}

void AmqpClient::Purge(const std::string& queue) {
  Do([&](Connection& connection) {
    amqp_queue_purge(connection.state(), kChannel, BytesOf(queue));
    connection.CheckReply("queue.purge");
  });
}

void AmqpClient::DeleteQueue(const std::string& queue) {
  Do([&](Connection& connection) {
    amqp_queue_delete(connection.state(), kChannel, BytesOf(queue), 0, 0);
    connection.CheckReply("queue.delete");
  });
}

bool AmqpClient::QueueExists(const std::string& queue) {
  return Do([&](Connection& connection) {
    amqp_queue_declare(connection.state(), kChannel, BytesOf(queue), /*passive=*/1, 0, 0, 0,
                       amqp_empty_table);
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection.state());
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD &&
        Decoded<amqp_channel_close_t>(reply.reply)->reply_code == AMQP_NOT_FOUND) {
      Reopen();
      return false;
    }
    Check(reply, "queue.declare");
    return true;
  });
}

std::size_t AmqpClient::Depth(const std::string& queue) {
  return Do([&](Connection& connection) -> std::size_t {
    const amqp_queue_declare_ok_t* ok = amqp_queue_declare(
        connection.state(), kChannel, BytesOf(queue), /*passive=*/1, 0, 0, 0, amqp_empty_table);
    connection.CheckReply("queue.declare");
    return ok->message_count;
  });
}

std::size_t AmqpClient::Consumers(const std::string& queue) {
  return Do([&](Connection& connection) -> std::size_t {
    const amqp_queue_declare_ok_t* ok = amqp_queue_declare(
        connection.state(), kChannel, BytesOf(queue), /*passive=*/1, 0, 0, 0, amqp_empty_table);
    connection.CheckReply("queue.declare");
    return ok->consumer_count;
  });
}

std::optional<AmqpDelivery> AmqpClient::Get(const std::string& queue) {
  return Do([&](Connection& connection) -> std::optional<AmqpDelivery> {
    const amqp_rpc_reply_t reply = amqp_basic_get(connection.state(), kChannel, BytesOf(queue), 0);
    Check(reply, "basic.get");
    if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) {
      return std::nullopt;
    }
    const auto* ok = Decoded<amqp_basic_get_ok_t>(reply.reply);
    const std::uint64_t tag = ok->delivery_tag;
    const bool redelivered = ok->redelivered != 0;
    std::string exchange = TextOf(ok->exchange);
    std::string key = TextOf(ok->routing_key);
    amqp_message_t message{};
    Check(amqp_read_message(connection.state(), kChannel, &message, 0), "message");
    AmqpDelivery delivery = DeliveryOf(message);
    amqp_destroy_message(&message);
    delivery.redelivered = redelivered;
    delivery.exchange = std::move(exchange);
    delivery.key = std::move(key);
    Check(amqp_basic_ack(connection.state(), kChannel, tag, 0), "basic.ack");
    amqp_maybe_release_buffers(connection.state());
    return delivery;
  });
}

std::vector<AmqpDelivery> AmqpClient::Consume(const std::string& queue, std::size_t count,
                                              std::chrono::milliseconds deadline) {
  // The caller looks at how many there are.
  std::vector<AmqpDelivery> deliveries;
  static_cast<void>(Eventually(deadline, [&] {
    while (deliveries.size() < count) {
      std::optional<AmqpDelivery> delivery = Get(queue);
      if (!delivery) {
        return false;
      }
      deliveries.push_back(std::move(*delivery));
    }
    return true;
  }));
  return deliveries;
}

}  // namespace iq::test
