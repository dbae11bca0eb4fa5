#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>
#include <list>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace iq::test {
namespace {

[[noreturn]] void Throw(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in Address(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    errno = EINVAL;
    Throw(host);
  }
  return address;
}

// A file descriptor that is closed at the end.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }

  int get() const { return fd_; }

  // Makes the coming close() send a reset.
  void Abort() const {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }

 private:
  int fd_;
};

// One way of a connection: bytes that were read from one socket and not yet written to the other.
struct Way {
  std::string bytes;
  bool ended = false;          // The sender has sent its end of stream.
  bool end_passed_on = false;  // So has the receiver got it.
  bool cut_when_empty = false;
};

struct Connection {
  Fd client;
  Fd server;
  Way to_server;
  Way to_client;
  bool broken = false;    // To be reset.
  bool draining = false;  // One side is cut already; what the other still says is thrown away.
};

constexpr std::size_t kChunkBytes = 64 * 1024;
constexpr std::size_t kBufferBytesMax = 1024 * 1024;

// Reads one chunk from `from` into `way`. False when the connection broke.
bool ReadChunk(const Fd& from, Way& way, const TcpProxy::Hook& hook) {
  std::array<char, kChunkBytes> chunk{};
  const ssize_t count = recv(from.get(), chunk.data(), chunk.size(), 0);
  if (count < 0) {
    return errno == EAGAIN || errno == EINTR;
  }
  if (count == 0) {
    way.ended = true;
    return true;
  }
  const std::string_view bytes(chunk.data(), static_cast<std::size_t>(count));
  const TcpProxy::Action action = hook ? hook(bytes) : TcpProxy::Action::kForward;
  if (action == TcpProxy::Action::kCutBefore) {
    return false;
  }
  way.bytes += bytes;
  way.cut_when_empty = way.cut_when_empty || action == TcpProxy::Action::kCutAfter;
  return true;
}

// Writes what `to` takes. False when the connection broke.
bool WriteOut(const Fd& to, Way& way) {
  if (!way.bytes.empty()) {
    const ssize_t count = send(to.get(), way.bytes.data(), way.bytes.size(), MSG_NOSIGNAL);
    if (count < 0) {
      return errno == EAGAIN || errno == EINTR;
    }
    way.bytes.erase(0, static_cast<std::size_t>(count));
  }
  if (way.bytes.empty() && (way.ended || way.cut_when_empty) && !way.end_passed_on) {
    shutdown(to.get(), SHUT_WR);
    way.end_passed_on = true;
  }
  return true;
}

// Reads and forgets. False at the end of stream and on errors.
bool Discard(const Fd& from) {
  std::array<char, kChunkBytes> chunk{};
  const ssize_t count = recv(from.get(), chunk.data(), chunk.size(), 0);
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace

// Everything but the task list belongs to the thread.
class TcpProxy::Loop {
 public:
  Loop(std::string host, std::uint16_t port) : target_(Address(host, port)) {
    constexpr int kBacklog = 128;
    sockaddr_in any = Address("127.0.0.1", 0);
    socklen_t size = sizeof(any);
    if (listener_.get() < 0 || wake_.get() < 0 ||
        bind(listener_.get(), reinterpret_cast<const sockaddr*>(&any), size) != 0 ||
        listen(listener_.get(), kBacklog) != 0 ||
        getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&any), &size) != 0) {
      Throw("TcpProxy");
    }
    port_ = ntohs(any.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }

  ~Loop() {
    Do([this] { ending_ = true; });
    thread_.join();
  }

  // Has the thread run `task` and waits for it.
  void Do(std::function<void()> task) {
    std::packaged_task<void()> packaged(std::move(task));
    std::future<void> done = packaged.get_future();
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(packaged));
    }
    constexpr std::uint64_t kOne = 1;
    if (write(wake_.get(), &kOne, sizeof(kOne)) < 0) {
      Throw("eventfd");
    }
    done.get();
  }

  std::uint16_t port_ = 0;
  bool paused_ = false;
  bool refusing_ = false;
  std::size_t accepted_ = 0;
  Hook on_client_bytes_;
  Hook on_server_bytes_;
  std::list<Connection> connections_;

 private:
  void Serve() {
    while (!ending_) {
      std::vector<pollfd> fds = Watched();
      if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) {
        Throw("poll");
      }
      if (!paused_) {
        auto next = fds.begin() + 2;
        for (Connection& connection : connections_) {
          Forward(connection, next->revents, (next + 1)->revents);
          next += 2;
        }
        if (fds[1].revents != 0) {
          Accept();
        }
      }
      if (fds[0].revents != 0) {
        RunTasks();
      }
      connections_.remove_if([](const Connection& connection) { return connection.broken; });
    }
  }

  // The wake-up call, the listener, and unless paused two for each connection.
  std::vector<pollfd> Watched() const {
    std::vector<pollfd> fds = {{wake_.get(), POLLIN, 0},
                               {listener_.get(), static_cast<short>(paused_ ? 0 : POLLIN), 0}};
    if (!paused_) {
      for (const Connection& connection : connections_) {
        Watch(connection, fds);
      }
    }
    return fds;
  }

  static void Watch(const Connection& connection, std::vector<pollfd>& fds) {
    const auto watch = [&](const Fd& fd, const Way& in, const Way& out) {
      const bool reads = connection.draining ||
                         (!in.ended && !in.cut_when_empty && in.bytes.size() < kBufferBytesMax);
      const int events = (reads ? POLLIN : 0) | (out.bytes.empty() ? 0 : POLLOUT);
      // A socket with nothing to wait for would report its hang-up without end.
      fds.push_back({events == 0 ? -1 : fd.get(), static_cast<short>(events), 0});
    };
    watch(connection.client, connection.to_server, connection.to_client);
    watch(connection.server, connection.to_client, connection.to_server);
  }

  void Forward(Connection& connection, short client_events, short server_events) const {
    constexpr int kReadable = POLLIN | POLLHUP | POLLERR;
    if (connection.draining) {
      const bool client_left = connection.client.get() >= 0;
      const Fd& left = client_left ? connection.client : connection.server;
      const short events = client_left ? client_events : server_events;
      connection.broken = (events & kReadable) != 0 && !Discard(left);
      return;
    }
    Way& up = connection.to_server;
    Way& down = connection.to_client;
    const auto may_read = [](const Way& way) { return !way.ended && !way.cut_when_empty; };
    bool sound = true;
    if ((client_events & kReadable) != 0 && may_read(up)) {
      sound = ReadChunk(connection.client, up, on_client_bytes_);
    }
    if (sound && !up.cut_when_empty && (server_events & kReadable) != 0 && may_read(down)) {
      sound = ReadChunk(connection.server, down, on_server_bytes_);
    }
    sound = sound && WriteOut(connection.server, up) &&
            (up.cut_when_empty || WriteOut(connection.client, down));
    if (!sound || (up.end_passed_on && down.end_passed_on && !up.cut_when_empty)) {
      Break(connection, !sound);
      return;
    }
    if (up.cut_when_empty && up.bytes.empty()) {
      Drain(connection, connection.client);
    } else if (down.cut_when_empty && down.bytes.empty()) {
      Drain(connection, connection.server);
    }
  }

  static void Break(Connection& connection, bool reset) {
    if (reset) {
      connection.client.Abort();
      connection.server.Abort();
    }
    connection.broken = true;
  }

  // Resets `cut`. The other side is read until it ends: closing it with unread bytes would reset it
  // too, and a reset may overtake the bytes it was to get.
  static void Drain(Connection& connection, Fd& cut) {
    cut.Abort();
    const Fd closed = std::exchange(cut, Fd());
    connection.draining = true;
  }

  void Accept() {
    Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client.get() < 0) {
      return;
    }
    ++accepted_;
    Fd server(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (refusing_ ||
        connect(server.get(), reinterpret_cast<const sockaddr*>(&target_), sizeof(target_)) != 0) {
      client.Abort();
      return;
    }
    constexpr int kOn = 1;
    setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof(kOn));
    setsockopt(server.get(), IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof(kOn));
    fcntl(server.get(), F_SETFL, O_NONBLOCK);
    Connection& connection = connections_.emplace_back();
    connection.client = std::move(client);
    connection.server = std::move(server);
  }

  void RunTasks() {
    std::uint64_t count = 0;
    if (read(wake_.get(), &count, sizeof(count)) < 0) {
      return;
    }
    std::vector<std::packaged_task<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (auto& task : tasks) {
      task();
    }
  }

  const sockaddr_in target_;
  const Fd listener_{socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const Fd wake_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  bool ending_ = false;
  std::mutex mutex_;
  std::vector<std::packaged_task<void()>> tasks_;
  std::thread thread_;
};

TcpProxy::TcpProxy(std::string host, std::uint16_t port)
    : loop_(std::make_unique<Loop>(std::move(host), port)) {}

TcpProxy::~TcpProxy() = default;

std::uint16_t TcpProxy::port() const { return loop_->port_; }

std::string TcpProxy::Through(const std::string& url) const {
  const auto scheme_end = url.find("://") + 3;
  const auto at = url.find('@', scheme_end);
  const auto host = at == std::string::npos ? scheme_end : at + 1;
  const auto host_end = std::min(url.find_first_of("/?", host), url.size());
  return fmt::format("{}127.0.0.1:{}{}", url.substr(0, host), port(), url.substr(host_end));
}

void TcpProxy::CutAll() {
  loop_->Do([this] {
    for (Connection& connection : loop_->connections_) {
      connection.client.Abort();
      connection.server.Abort();
    }
    loop_->connections_.clear();
  });
}

void TcpProxy::Pause() {
  loop_->Do([this] { loop_->paused_ = true; });
}

void TcpProxy::Resume() {
  loop_->Do([this] { loop_->paused_ = false; });
}

void TcpProxy::Refuse(bool on) {
  loop_->Do([this, on] { loop_->refusing_ = on; });
}

void TcpProxy::OnClientBytes(Hook hook) {
  loop_->Do([&] { loop_->on_client_bytes_ = std::move(hook); });
}

void TcpProxy::OnServerBytes(Hook hook) {
  loop_->Do([&] { loop_->on_server_bytes_ = std::move(hook); });
}

std::size_t TcpProxy::connections() const {
  std::size_t count = 0;
  loop_->Do([&] { count = loop_->connections_.size(); });
  return count;
}

std::size_t TcpProxy::accepted() const {
  std::size_t count = 0;
  loop_->Do([&] { count = loop_->accepted_; });
  return count;
}

}  // namespace iq::test
