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

  // Runs `script` on a connection that Ensure() has made, in one round trip unless the server has
  // forgotten the script. The script must return a list of `count` integers. Throws Unavailable;
  // the script may then have run, may be running or may still run.
  std::vector<std::int64_t> Run(const RedisScript& script, const std::vector<std::string>& keys,
                                const std::vector<std::string>& arguments, std::size_t count);

  std::chrono::milliseconds UntilNextAttempt() const { return outage_.UntilNextAttempt(); }

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
  // The answer to one command, an error reply included. Throws Unavailable when there is none.
  Reply Send(const std::vector<std::string_view>& command);
  [[noreturn]] void Fail(std::string reason);

  RedisUrl url_;
  Outage outage_;
  std::string last_failure_;
  std::uint32_t generation_ = 0;
  std::unique_ptr<redisContext, ContextFree> context_;
};

}  // namespace iq
