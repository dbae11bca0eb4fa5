// One connection to a Redis server: it logs in, runs Lua scripts, and turns every way in which a
// server can fail into Unavailable.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/outage.h"
#include "host/locks/redis_url.h"

struct redisContext;
struct redisReply;

namespace iq {

// A Lua script, which the server knows by its SHA-1 once it has seen it.
class RedisScript {
 public:
  explicit RedisScript(std::string text);
  const std::string& text() const { return text_; }
  const std::string& sha1() const { return sha1_; }  // 40 lower-case hex digits.

 private:
  std::string text_;
  std::string sha1_;
};

// A call of a script that returns a list of `answers` integers.
struct RedisCall {
  const RedisScript* script = nullptr;
  std::vector<std::string> keys;
  std::vector<std::string> arguments;
  std::size_t answers = 0;
};

// Not thread-safe. Waits at most a second for the connection and a second for each answer. After
// any failure the connection is dropped, and a call before the next attempt is due throws at once.
class RedisConnection {
 public:
  explicit RedisConnection(RedisUrl url);
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;
  ~RedisConnection();

  // Connects and logs in unless connected. Throws Unavailable.
  void Ensure();

  // How many connections have been made so far.
  std::uint32_t generation() const { return generation_; }

  // Makes a call on a connection that Ensure() has made, in one round trip unless the server has
  // forgotten the script. Throws Unavailable; the script may then have run, may be running or may
  // still run.
  std::vector<std::int64_t> Run(const RedisCall& call) {
    Send(call);
    return Answer(call);
  }
  // The same in two halves: the first does not wait for the server, and the second is the next use
  // of the connection.
  void Send(const RedisCall& call);
  std::vector<std::int64_t> Answer(const RedisCall& call);

  std::chrono::milliseconds UntilNextAttempt() const { return outage_.UntilNextAttempt(); }
  bool away() const { return outage_.ongoing(); }

 private:
  struct ContextFree {
    void operator()(redisContext* context) const;
  };
  struct ReplyFree {
    void operator()(redisReply* reply) const;
  };
  using Reply = std::unique_ptr<redisReply, ReplyFree>;

  void Connect();
  void LogIn();
  void Write(const std::vector<std::string_view>& command);
  // The answer to one command, an error reply included. Throws Unavailable when there is none.
  Reply Read();
  Reply Ask(const std::vector<std::string_view>& command) {
    Write(command);
    return Read();
  }
  [[noreturn]] void Fail(std::string reason);

  RedisUrl url_;
  Outage outage_;
  std::string last_failure_;
  std::uint32_t generation_ = 0;
  std::unique_ptr<redisContext, ContextFree> context_;
};

}  // namespace iq
