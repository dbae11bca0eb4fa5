#include "host/broker/amqp_connection.h"

#include <amqp_tcp_socket.h>
#include <fmt/format.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <limits>

#include "host/broker/amqp_properties.h"

namespace iq {
namespace {

using Clock = std::chrono::steady_clock;

constexpr timeval kConnectTimeout{3, 0};
constexpr timeval kAnswerTimeout{10, 0};
constexpr timeval kGoodbyeTimeout{0, 500'000};
constexpr int kHeartbeatSeconds = 30;
// Room for a message of the largest size that is usual, so that it is written without waiting.
constexpr int kSendBufferMin = 1024 * 1024;

// What librabbitmq is to wait. It rounds down to whole milliseconds when it calls poll(), so that
// the last part of one would be spent in a loop: one more is better.
timeval Until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  const std::int64_t ms = left.count() <= 0 ? 0 : left.count() + 1;
  constexpr std::int64_t kPerSecond = 1000;
  return {static_cast<time_t>(ms / kPerSecond),
          static_cast<suseconds_t>(ms % kPerSecond * kPerSecond)};
}

// What this client can be told. Without the first, a consumer whose queue is deleted never learns
// of it; without the second, a publisher never learns of an alarm.
Headers ClientProperties(const std::string& connection_name) {
  const HeaderValue yes{true};
  const HeaderValue::Table capabilities{
      {"consumer_cancel_notify", yes},     {"connection.blocked", yes},
      {"publisher_confirms", yes},         {"basic.nack", yes},
      {"exchange_exchange_bindings", yes}, {"authentication_failure_close", yes}};
  return {{"product", {std::string("iq")}},
          {"connection_name", {connection_name}},
          {"capabilities", {capabilities}}};
}

bool IsMethod(const amqp_frame_t& frame, amqp_method_number_t id) {
  return frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == id;
}

// What a port for TLS makes of a login: it closes the connection, after a few bytes of its own
// protocol that librabbitmq cannot read.
bool IsNoAmqp(const amqp_rpc_reply_t& reply) {
  return reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION &&
         (reply.library_error == AMQP_STATUS_CONNECTION_CLOSED ||
          reply.library_error == AMQP_STATUS_SOCKET_ERROR ||
          reply.library_error == AMQP_STATUS_BAD_AMQP_DATA);
}

}  // namespace

AmqpClosed::AmqpClosed(const std::string& server, const std::string& reason, int code, Mend mend)
    : Unavailable(fmt::format("{}: {}", server, reason), mend), reason_(reason), code_(code) {}

bool AmqpClosed::refusal() const {
  return code_ != 0 && code_ != AMQP_CONNECTION_FORCED && code_ != AMQP_INTERNAL_ERROR;
}

std::string ServerName(const AmqpUrl& url) {
  const bool numeric_v6 = url.host.find(':') != std::string::npos;
  return fmt::format("rabbitmq at {}:{}", numeric_v6 ? '[' + url.host + ']' : url.host, url.port);
}

AmqpConnection::AmqpConnection(const AmqpUrl& url, const std::string& connection_name)
    : server_(ServerName(url)), state_(amqp_new_connection()) {
  if (!state_) Lost("out of memory");
  amqp_set_handshake_timeout(state(), &kAnswerTimeout);
  amqp_set_rpc_timeout(state(), &kAnswerTimeout);
  OpenSocket(url);
  Login(url, connection_name);
  up_ = true;
  amqp_channel_open(state(), kChannel);
  CheckReply();
}

AmqpConnection::~AmqpConnection() {
  if (!up_ || blocked_) return;
  amqp_set_rpc_timeout(state(), &kGoodbyeTimeout);
  amqp_connection_close(state(), AMQP_REPLY_SUCCESS);
}

amqp_socket_t* AmqpConnection::NewSocket() {
  try {
    return tls_ ? tls_->NewSocket(state()) : amqp_tcp_socket_new(state());
  } catch (const TlsFileFault& fault) {
    Lost(fault.what(), Unavailable::Mend::kSaid);
  }
}

void AmqpConnection::OpenSocket(const AmqpUrl& url) {
  if (url.tls) tls_.emplace(url);
  amqp_socket_t* const socket = NewSocket();
  if (socket == nullptr) Lost("out of memory");
  const int status = amqp_socket_open_noblock(socket, url.host.c_str(), url.port, &kConnectTimeout);
  if (status == AMQP_STATUS_SOCKET_ERROR) Lost("cannot connect: refused or unreachable");
  if (const auto fault = tls_ ? tls_->Fault(status) : std::nullopt) {
    Lost(*fault, Unavailable::Mend::kSaid);
  }
  if (status != AMQP_STATUS_OK) {
    Lost(fmt::format("cannot connect: {}", amqp_error_string2(status)));
  }

  // librabbitmq has set TCP_NODELAY, SO_KEEPALIVE and close-on-exec. Setting the buffer's size
  // ends the kernel's own tuning of it, so it is only done where that starts small.
  int size = 0;
  socklen_t length = sizeof(size);
  if (getsockopt(fd(), SOL_SOCKET, SO_SNDBUF, &size, &length) == 0 && size < kSendBufferMin) {
    setsockopt(fd(), SOL_SOCKET, SO_SNDBUF, &kSendBufferMin, sizeof(kSendBufferMin));
  }
}

void AmqpConnection::Login(const AmqpUrl& url, const std::string& connection_name) {
  const Headers properties = ClientProperties(connection_name);
  const AmqpTable table(properties);
  const auto reply =
      amqp_login_with_properties(state(), url.vhost.c_str(), AMQP_DEFAULT_MAX_CHANNELS,
                                 AMQP_DEFAULT_FRAME_SIZE, kHeartbeatSeconds, &table.table(),
                                 AMQP_SASL_METHOD_PLAIN, url.user.c_str(), url.password.c_str());
  if (!url.tls && IsNoAmqp(reply)) {
    Lost(
        fmt::format("no AMQP in its answer to the login ({}); it may be starting, and a port for "
                    "TLS needs amqps:// in broker.url",
                    amqp_error_string2(reply.library_error)));
  }
  CheckReply(reply);
}

std::optional<amqp_frame_t> AmqpConnection::NextFrame(Clock::time_point deadline) {
  for (;;) {
    const timeval wait = Until(deadline);
    amqp_frame_t frame{};
    const int status = amqp_simple_wait_frame_noblock(state(), &frame, &wait);
    if (status == AMQP_STATUS_TIMEOUT) return std::nullopt;
    if (status != AMQP_STATUS_OK) Lost(AmqpStatusText(status));
    if (!Handle(frame)) return frame;
  }
}

bool AmqpConnection::Handle(const amqp_frame_t& frame) {
  if (frame.channel != 0) {
    if (IsMethod(frame, AMQP_CHANNEL_CLOSE_METHOD)) ClosedByBroker(frame.payload.method);
    return frame.channel != kChannel;
  }
  if (IsMethod(frame, AMQP_CONNECTION_CLOSE_METHOD)) ClosedByBroker(frame.payload.method);
  if (IsMethod(frame, AMQP_CONNECTION_BLOCKED_METHOD)) blocked_ = true;
  if (IsMethod(frame, AMQP_CONNECTION_UNBLOCKED_METHOD)) blocked_ = false;
  return true;
}

void AmqpConnection::Check(int status) {
  if (status == AMQP_STATUS_OK) return;
  // Not sent at all: something in it is too long for its field or for a frame.
  if (status == AMQP_STATUS_BAD_AMQP_DATA || status == AMQP_STATUS_TABLE_TOO_BIG ||
      status == AMQP_STATUS_INVALID_PARAMETER) {
    up_ = false;
    throw AmqpClosed(server_, fmt::format("cannot be sent: {}", amqp_error_string2(status)),
                     AMQP_SYNTAX_ERROR);
  }
  Lost(AmqpStatusText(status));
}

void AmqpConnection::CheckReply(const amqp_rpc_reply_t& reply) {
  switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL:
      return;
    case AMQP_RESPONSE_SERVER_EXCEPTION:
      ClosedByBroker(reply.reply);
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
      Check(reply.library_error);
      [[fallthrough]];
    default:
      Lost("the connection was closed unexpectedly");
  }
}

void AmqpConnection::ClosedByBroker(const amqp_method_t& method) {
  if (method.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const auto* const close = static_cast<const amqp_channel_close_t*>(method.decoded);
    const std::string reason = CopyBytes(close->reply_text);
    const auto code = close->reply_code;
    amqp_channel_close_ok_t answer{};
    amqp_send_method(state(), kChannel, AMQP_CHANNEL_CLOSE_OK_METHOD, &answer);
    throw AmqpClosed(server_, reason, code);
  }
  up_ = false;
  if (method.id != AMQP_CONNECTION_CLOSE_METHOD) Lost("the broker broke the protocol");
  const auto* const close = static_cast<const amqp_connection_close_t*>(method.decoded);
  const std::string reason = CopyBytes(close->reply_text);
  const auto code = close->reply_code;
  amqp_connection_close_ok_t answer{};
  amqp_send_method(state(), 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &answer);
  throw AmqpClosed(server_, reason, code);
}

void AmqpConnection::Lost(std::string_view reason, Unavailable::Mend mend) {
  up_ = false;
  throw AmqpClosed(server_, std::string(reason), 0, mend);
}

AmqpConnection::SendRoom AmqpConnection::send_room() const {
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t length = sizeof(memory);
  if (getsockopt(fd(), SOL_SOCKET, SO_MEMINFO, memory.data(), &length) != 0) {
    return {.bytes = std::numeric_limits<std::size_t>::max(), .empty = true};
  }
  const std::size_t size = memory[SK_MEMINFO_SNDBUF];
  const std::size_t queued = memory[SK_MEMINFO_WMEM_QUEUED];
  return {.bytes = size - std::min(size, queued), .empty = queued == 0};
}

void AmqpConnection::Hold(bool on) const {
  const int value = on ? 1 : 0;
  setsockopt(fd(), IPPROTO_TCP, TCP_CORK, &value, sizeof(value));
}

}  // namespace iq
