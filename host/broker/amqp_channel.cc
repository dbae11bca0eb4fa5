#include "host/broker/amqp_channel.h"

#include <algorithm>
#include <utility>

#include "host/broker/amqp_properties.h"

namespace iq {
namespace {

constexpr amqp_channel_t kChannel = AmqpConnection::kChannel;
constexpr std::uint64_t kReserveMax = 1024 * 1024;

}  // namespace

AmqpChannel::AmqpChannel(const AmqpUrl& url, const std::string& connection_name)
    : connection_(url, connection_name) {}

std::optional<AmqpNews> AmqpChannel::Next(Clock::time_point deadline) {
  for (;;) {
    const auto frame = connection_.NextFrame(deadline);
    if (!frame) return std::nullopt;
    auto news = Take(*frame);
    connection_.Release();
    if (news) return news;
  }
}

std::optional<AmqpNews> AmqpChannel::Take(const amqp_frame_t& frame) {
  if (frame.frame_type == AMQP_FRAME_METHOD) return TakeMethod(frame.payload.method);
  return TakeContent(frame);
}

std::optional<AmqpNews> AmqpChannel::TakeMethod(const amqp_method_t& method) {
  switch (method.id) {
    case AMQP_BASIC_DELIVER_METHOD: {
      const auto* const deliver = static_cast<const amqp_basic_deliver_t*>(method.decoded);
      Begin(Assembly::Kind::kDelivery, deliver->exchange, deliver->routing_key);
      assembly_.delivery.tag = deliver->delivery_tag;
      assembly_.delivery.redelivered = deliver->redelivered != 0;
      return std::nullopt;
    }
    case AMQP_BASIC_RETURN_METHOD: {
      const auto* const returned = static_cast<const amqp_basic_return_t*>(method.decoded);
      Begin(Assembly::Kind::kReturn, returned->exchange, returned->routing_key);
      return std::nullopt;
    }
    case AMQP_BASIC_ACK_METHOD: {
      const auto* const ack = static_cast<const amqp_basic_ack_t*>(method.decoded);
      return AmqpConfirm{ack->delivery_tag, ack->multiple != 0, true};
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto* const nack = static_cast<const amqp_basic_nack_t*>(method.decoded);
      return AmqpConfirm{nack->delivery_tag, nack->multiple != 0, false};
    }
    case AMQP_BASIC_CANCEL_METHOD:
      return AmqpConsumerGone{};
    default:
      return std::nullopt;
  }
}

void AmqpChannel::Begin(Assembly::Kind kind, amqp_bytes_t exchange, amqp_bytes_t routing_key) {
  assembly_ = {};
  assembly_.kind = kind;
  assembly_.delivery.address = {CopyBytes(exchange), CopyBytes(routing_key)};
}

std::optional<AmqpNews> AmqpChannel::TakeContent(const amqp_frame_t& frame) {
  if (assembly_.kind == Assembly::Kind::kNothing) return std::nullopt;
  auto& message = assembly_.delivery.message;
  if (frame.frame_type == AMQP_FRAME_HEADER) {
    const auto& header = frame.payload.properties;
    message = ReadProperties(*static_cast<const amqp_basic_properties_t*>(header.decoded));
    message.body.reserve(std::min(header.body_size, kReserveMax));
    assembly_.body_left = header.body_size;
  } else if (frame.frame_type == AMQP_FRAME_BODY && assembly_.body_left) {
    const auto& part = frame.payload.body_fragment;
    message.body.append(static_cast<const char*>(part.bytes), part.len);
    *assembly_.body_left -= std::min<std::uint64_t>(*assembly_.body_left, part.len);
  }
  if (assembly_.body_left != 0U) return std::nullopt;

  auto whole = std::exchange(assembly_, {});
  if (whole.kind == Assembly::Kind::kDelivery) return std::move(whole.delivery);
  return AmqpReturn{std::move(whole.delivery.address), std::move(whole.delivery.message)};
}

void AmqpChannel::DeclareExchange(const std::string& name, const std::string& type) {
  amqp_exchange_declare(connection_.state(), kChannel, BorrowBytes(name), BorrowBytes(type), 0, 1,
                        0, 0, amqp_empty_table);
  connection_.CheckReply();
}

void AmqpChannel::DeclareQueue(const std::string& name, const Headers& arguments) {
  const AmqpTable table(arguments);
  amqp_queue_declare(connection_.state(), kChannel, BorrowBytes(name), 0, 1, 0, 0, table.table());
  connection_.CheckReply();
}

std::string AmqpChannel::DeclarePrivateQueue(const std::string& name) {
  const auto* const declared = amqp_queue_declare(connection_.state(), kChannel, BorrowBytes(name),
                                                  0, 0, 1, 1, amqp_empty_table);
  connection_.CheckReply();
  return CopyBytes(declared->queue);
}

void AmqpChannel::Bind(const std::string& queue, const std::string& exchange,
                       const std::string& routing_key) {
  amqp_queue_bind(connection_.state(), kChannel, BorrowBytes(queue), BorrowBytes(exchange),
                  BorrowBytes(routing_key), amqp_empty_table);
  connection_.CheckReply();
}

Broker::QueueState AmqpChannel::Inspect(const std::string& queue) {
  const auto* const declared = amqp_queue_declare(connection_.state(), kChannel, BorrowBytes(queue),
                                                  1, 1, 0, 0, amqp_empty_table);
  connection_.CheckReply();
  return {.ready = declared->message_count, .consumers = declared->consumer_count};
}

void AmqpChannel::SetPrefetch(std::uint16_t prefetch) {
  amqp_basic_qos(connection_.state(), kChannel, 0, prefetch, 0);
  connection_.CheckReply();
}

std::string AmqpChannel::Consume(const std::string& queue, bool acks, const std::string& tag) {
  const auto* const consuming =
      amqp_basic_consume(connection_.state(), kChannel, BorrowBytes(queue), BorrowBytes(tag), 0,
                         acks ? 0 : 1, 0, amqp_empty_table);
  connection_.CheckReply();
  return CopyBytes(consuming->consumer_tag);
}

void AmqpChannel::Cancel(const std::string& consumer_tag) {
  amqp_basic_cancel(connection_.state(), kChannel, BorrowBytes(consumer_tag));
  connection_.CheckReply();
}

void AmqpChannel::Ack(std::uint64_t tag, bool multiple) {
  connection_.Check(amqp_basic_ack(connection_.state(), kChannel, tag, multiple ? 1 : 0));
}

void AmqpChannel::Requeue(std::uint64_t tag) {
  connection_.Check(amqp_basic_nack(connection_.state(), kChannel, tag, 0, 1));
}

void AmqpChannel::SelectTransactions() {
  amqp_tx_select(connection_.state(), kChannel);
  connection_.CheckReply();
}

void AmqpChannel::Commit() {
  amqp_tx_commit(connection_.state(), kChannel);
  connection_.CheckReply();
}

void AmqpChannel::SelectConfirms() {
  amqp_confirm_select(connection_.state(), kChannel);
  connection_.CheckReply();
}

void AmqpChannel::Publish(const Address& address, const Message& message, bool mandatory) {
  const AmqpProperties properties(message);
  connection_.Check(amqp_basic_publish(connection_.state(), kChannel, BorrowBytes(address.exchange),
                                       BorrowBytes(address.routing_key), mandatory ? 1 : 0, 0,
                                       &properties.properties(), BorrowBytes(message.body)));
}

bool AmqpChannel::Reserve(std::size_t bytes) {
  // The kernel counts its own bookkeeping as well: for each piece of up to 32 KiB about 1.3 KiB.
  constexpr std::size_t kPerMessage = 4096;
  const std::size_t need = bytes + bytes / 8 + kPerMessage;
  bool empty = false;
  if (room_ < need) {
    const auto room = connection_.send_room();
    room_ = room.bytes;
    empty = room.empty;
  }
  if (room_ < need && !empty) return false;
  room_ -= std::min(room_, need);
  return true;
}

}  // namespace iq
