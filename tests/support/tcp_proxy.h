// A TCP connection that a test can cut, freeze and look into.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace iq::test {

// Listens on a free loopback port and forwards to one server. Its work is done by one thread; the
// calls are thread-safe and have taken effect when they return.
class TcpProxy {
 public:
  enum class Action {
    kForward,
    kCutBefore,  // The bytes are dropped and both sides cut.
    kCutAfter,   // The receiver gets the bytes and an orderly end of stream; the sender is cut
                 // before any answer could pass.
  };

  // Asked for every chunk of bytes as it was read from a socket: a protocol's message may be spread
  // over two chunks, or share one with others. Called on the proxy's thread; it must not call the
  // proxy.
  using Hook = std::function<Action(std::string_view bytes)>;

  // Connects to `host`:`port` (a numeric address) once per client. Throws std::system_error.
  TcpProxy(std::string host, std::uint16_t port);
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;
  ~TcpProxy();

  std::uint16_t port() const;

  // `url` with its host and port replaced by the proxy's.
  std::string Through(const std::string& url) const;

  // Resets every connection. New ones are served as before.
  void CutAll();

  // Nothing is forwarded or accepted until Resume; what arrives meanwhile is kept.
  void Pause();
  void Resume();

  // While on, new connections are accepted and closed at once. Those that exist go on.
  void Refuse(bool on);

  // nullptr: forward all.
  void OnClientBytes(Hook hook);  // From the client, to the server.
  void OnServerBytes(Hook hook);

  std::size_t connections() const;  // Open now.
  std::size_t accepted() const;     // Ever, refused ones included.

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace iq::test
