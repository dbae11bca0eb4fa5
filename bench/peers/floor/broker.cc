#include "bench/peers/floor/broker.h"

#include <amqp_tcp_socket.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace iq::bench::floor {
namespace {

constexpr const char* kEventExchange = "billing.events";
constexpr const char* kDeadQueue = "billing.dead";
constexpr const char* kCommandQueue = "billing";
constexpr timeval kNoWait{0, 0};

const char* OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      return "done";
    case Outcome::kRejected:
      return "rejected";
    case Outcome::kInvalid:
      return "invalid";
  }
  return "unknown";
}

amqp_table_entry_t Header(const char* key, std::string_view text) {
  amqp_table_entry_t header{};
  header.key = amqp_cstring_bytes(key);
  header.value.kind = AMQP_FIELD_KIND_UTF8;
  header.value.value.bytes = Bytes(text);
  return header;
}

amqp_table_t Table(std::vector<amqp_table_entry_t>& headers) {
  return {static_cast<int>(headers.size()), headers.data()};
}

}  // namespace

void Watermark::Mark(std::uint64_t number) {
  if (number <= reached_) return;
  const std::size_t place = number - reached_ - 1;
  if (place >= marked_.size()) marked_.resize(place + 1);
  marked_[place] = true;
  Advance();
}

void Watermark::MarkUpTo(std::uint64_t number) {
  while (reached_ < number) {
    if (!marked_.empty()) marked_.pop_front();
    ++reached_;
  }
  Advance();
}

void Watermark::Advance() {
  while (!marked_.empty() && marked_.front()) {
    marked_.pop_front();
    ++reached_;
  }
}

Connection::Connection(std::string url) : state_(amqp_new_connection()) {
  amqp_connection_info info{};
  Check(amqp_parse_url(url.data(), &info), "the broker's URL");
  amqp_socket_t* const socket = amqp_tcp_socket_new(state());
  Check(amqp_socket_open(socket, info.host, info.port), "connect to the broker");
  const auto login = amqp_login(state(), info.vhost, 0, AMQP_DEFAULT_FRAME_SIZE, 0,
                                AMQP_SASL_METHOD_PLAIN, info.user, info.password);
  if (login.reply_type != AMQP_RESPONSE_NORMAL) throw std::runtime_error("the broker's login");
  amqp_channel_open(state(), kChannel);
  CheckReply("open a channel");
}

bool Connection::HasInput() const {
  return amqp_frames_enqueued(state()) != 0 || amqp_data_in_buffer(state()) != 0;
}

void Connection::Check(int status, const char* what) const {
  if (status == AMQP_STATUS_OK) return;
  throw std::runtime_error(fmt::format("{}: {}", what, amqp_error_string2(status)));
}

void Connection::CheckReply(const char* what) const {
  if (amqp_get_rpc_reply(state()).reply_type != AMQP_RESPONSE_NORMAL) {
    throw std::runtime_error(fmt::format("the broker refuses: {}", what));
  }
}

void Connection::Close() const {
  amqp_channel_close(state(), kChannel, AMQP_REPLY_SUCCESS);
  amqp_connection_close(state(), AMQP_REPLY_SUCCESS);
}

Consumer::Consumer(const std::string& url, const char* queue, std::uint16_t prefetch)
    : connection_(url) {
  constexpr amqp_channel_t kChannel = Connection::kChannel;
  amqp_basic_qos(connection_.state(), kChannel, 0, prefetch, 0);
  connection_.CheckReply("set the prefetch");
  amqp_basic_consume(connection_.state(), kChannel, amqp_cstring_bytes(queue),
                     amqp_cstring_bytes("floor"), 0, 0, 0, amqp_empty_table);
  connection_.CheckReply("consume");
}

std::vector<Envelope> Consumer::Receive(std::size_t max) {
  std::vector<Envelope> received;
  while (received.size() < max) {
    amqp_maybe_release_buffers(connection_.state());
    Envelope envelope(new amqp_envelope_t{});
    const auto reply = amqp_consume_message(connection_.state(), envelope.get(), &kNoWait, 0);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
      const bool empty = reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION &&
                         reply.library_error == AMQP_STATUS_TIMEOUT;
      if (!empty) throw std::runtime_error("the consuming connection was lost");
      break;
    }
    received.push_back(std::move(envelope));
  }
  return received;
}

void Consumer::Ack() {
  if (settled_.reached() == std::exchange(acked_, settled_.reached())) return;
  connection_.Check(amqp_basic_ack(connection_.state(), Connection::kChannel, acked_, 1), "ack");
}

void Consumer::Close() const {
  // Its answer comes after the acks have reached the queue, which a channel's end would not await.
  amqp_basic_cancel(connection_.state(), Connection::kChannel, amqp_cstring_bytes("floor"));
  connection_.Close();
}

Publisher::Publisher(const std::string& url) : connection_(url) {
  amqp_confirm_select(connection_.state(), Connection::kChannel);
  connection_.CheckReply("confirm");
}

void Publisher::Publish(std::span<const std::unique_ptr<Command>> commands) {
  Cork(true);
  for (const auto& command : commands) {
    for (const Event& event : command->verdict->events) PublishEvent(*command, event);
    if (command->verdict->outcome != Outcome::kDone) PublishDeadCopy(*command);
  }
  Cork(false);
}

void Publisher::PublishEvent(const Command& command, const Event& event) {
  std::vector<amqp_table_entry_t> headers{
      Header("cloudEvents_id", event.id), Header("cloudEvents_source", "floor"),
      Header("cloudEvents_type", event.name), Header("cloudEvents_time", event.occurred_at),
      Header("cloudEvents_specversion", "1.0")};
  if (!command.traceparent.empty()) headers.push_back(Header("traceparent", command.traceparent));
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG |
                      AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG |
                      AMQP_BASIC_MESSAGE_ID_FLAG;
  properties.content_type = amqp_cstring_bytes("application/json");
  properties.headers = Table(headers);
  properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  properties.correlation_id =
      Bytes(command.correlation_id.empty() ? command.id : command.correlation_id);
  properties.message_id = Bytes(event.id);
  Send(kEventExchange, event.name, /*mandatory=*/false, properties, Bytes(event.body));
}

void Publisher::PublishDeadCopy(const Command& command) {
  const Verdict& verdict = *command.verdict;
  const amqp_message_t& original = command.envelope->message;
  amqp_basic_properties_t properties = original.properties;
  std::vector<amqp_table_entry_t> headers;
  if ((properties._flags & AMQP_BASIC_HEADERS_FLAG) != 0) {
    const amqp_table_t& before = original.properties.headers;
    headers.assign(before.entries, before.entries + before.num_entries);
  }
  const std::string now = Rfc3339Now();
  amqp_table_entry_t attempts = Header("x-iq-attempts", {});
  attempts.value.kind = AMQP_FIELD_KIND_I64;
  attempts.value.value.i64 = 1;
  headers.insert(headers.end(),
                 {Header("x-iq-code", verdict.code), Header("x-iq-reason", verdict.reason),
                  Header("x-iq-outcome", OutcomeName(verdict.outcome)), attempts,
                  Header("x-iq-type", command.type), Header("x-iq-plugin", "floor/1"),
                  Header("x-iq-at", now), Header("x-iq-queue", kCommandQueue)});
  properties.headers = Table(headers);
  properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  properties._flags |= AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
  // A copy must not expire where it is kept, and the broker refuses another's user id.
  properties._flags &=
      ~static_cast<amqp_flags_t>(AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_USER_ID_FLAG);
  Send("", kDeadQueue, /*mandatory=*/true, properties, original.body);
}

void Publisher::Send(const char* exchange, std::string_view key, bool mandatory,
                     const amqp_basic_properties_t& properties, amqp_bytes_t body) {
  connection_.Check(
      amqp_basic_publish(connection_.state(), Connection::kChannel, amqp_cstring_bytes(exchange),
                         Bytes(key), mandatory ? 1 : 0, 0, &properties, body),
      "publish");
  ++last_;
}

std::uint64_t Publisher::Confirmed() {
  while (confirmed_.reached() < last_) {
    amqp_frame_t frame{};
    amqp_maybe_release_buffers(connection_.state());
    const int status = amqp_simple_wait_frame_noblock(connection_.state(), &frame, &kNoWait);
    if (status == AMQP_STATUS_TIMEOUT) break;
    connection_.Check(status, "await confirms");
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
      throw std::runtime_error("the broker does not take a message");
    }
    const auto* const ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
    if (ack->multiple != 0) {
      confirmed_.MarkUpTo(ack->delivery_tag);
    } else {
      confirmed_.Mark(ack->delivery_tag);
    }
  }
  return confirmed_.reached();
}

// While it is on, many small frames travel in few segments.
void Publisher::Cork(bool on) const {
  const int value = on ? 1 : 0;
  setsockopt(connection_.socket(), IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

void WaitForInput(const Consumer& consumer, const Publisher& publisher,
                  std::chrono::milliseconds wait) {
  if (consumer.connection().HasInput() || publisher.connection().HasInput()) return;
  std::array<pollfd, 2> sockets{
      {{consumer.connection().socket(), POLLIN, 0}, {publisher.connection().socket(), POLLIN, 0}}};
  poll(sockets.data(), sockets.size(), static_cast<int>(wait.count()));
}

}  // namespace iq::bench::floor
