// A plain Redis client, to look at the server behind the back of what is tested.
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <string>
#include <vector>

#include "host/locks/redis_url.h"

namespace iq::test {

// One connection, logged in. A failure is an answer that no test expects.
class RedisClient {
 public:
  explicit RedisClient(const std::string& url_text) : context_(nullptr, redisFree) {
    const RedisUrl url = ParseRedisUrl(url_text);
    context_.reset(redisConnect(url.host.c_str(), url.port));
    if (context_->err == 0) (void)Command({"AUTH", url.password});
  }

  // The answer to a command, as text.
  std::string Command(const std::vector<std::string>& words) {
    std::vector<const char*> bytes;
    std::vector<std::size_t> lengths;
    for (const auto& word : words) {
      bytes.push_back(word.data());
      lengths.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), bytes.data(),
                           lengths.data());
    return Answer();
  }

  // The answer to a request in the form that goes over the wire.
  std::string Send(const std::string& request) {
    redisAppendFormattedCommand(context_.get(), request.data(), request.size());
    return Answer();
  }

 private:
  // Of a list with one element, that element.
  std::string Answer() {
    void* raw = nullptr;
    if (redisGetReply(context_.get(), &raw) != REDIS_OK) return "no answer";
    const std::unique_ptr<void, void (*)(void*)> owner(raw, freeReplyObject);
    const auto* reply = static_cast<const redisReply*>(raw);
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1) reply = reply->element[0];
    if (reply->type == REDIS_REPLY_INTEGER) return std::to_string(reply->integer);
    return reply->str == nullptr ? "" : std::string(reply->str, reply->len);
  }

  std::unique_ptr<redisContext, void (*)(redisContext*)> context_;
};

}  // namespace iq::test
