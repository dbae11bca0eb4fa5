#include "host/locks/redis_connection.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <openssl/evp.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include "host/base/digest.h"
#include "host/base/error.h"

namespace iq {
namespace {

constexpr timeval kPatience{.tv_sec = 1, .tv_usec = 0};

std::string Sha1Hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha1(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL offers no SHA-1, which Redis needs to name a script");
  }
  return Hex(std::span(digest).first(length));
}

// hiredis leaves the cause of an I/O error in errno.
std::string ReasonOf(const redisContext& context, int error_number) {
  const bool timed_out = error_number == EAGAIN || error_number == ETIMEDOUT;
  if (context.err == REDIS_ERR_IO && timed_out) return "no answer within 1 s";
  return static_cast<const char*>(context.errstr);
}

std::string_view TextOf(const redisReply& reply) { return {reply.str, reply.len}; }

// Borrowed from what it is given.
std::vector<std::string_view> Words(std::string_view verb, std::string_view script,
                                    std::string_view key_count, const RedisCall& call) {
  std::vector<std::string_view> words{verb, script, key_count};
  words.reserve(words.size() + call.keys.size() + call.arguments.size());
  words.insert(words.end(), call.keys.begin(), call.keys.end());
  words.insert(words.end(), call.arguments.begin(), call.arguments.end());
  return words;
}

std::string WithoutPassword(std::string_view text, const std::string& password) {
  std::string masked(text);
  for (std::size_t at = 0; (at = masked.find(password, at)) != std::string::npos; at += 3) {
    masked.replace(at, password.size(), "***");
  }
  return masked;
}

}  // namespace

RedisScript::RedisScript(std::string text) : text_(std::move(text)), sha1_(Sha1Hex(text_)) {}

void RedisConnection::ContextFree::operator()(redisContext* context) const { redisFree(context); }
void RedisConnection::ReplyFree::operator()(redisReply* reply) const { freeReplyObject(reply); }

RedisConnection::RedisConnection(RedisUrl url) : url_(std::move(url)), outage_(url_.name()) {}
RedisConnection::~RedisConnection() = default;

void RedisConnection::Fail(std::string reason) {
  context_.reset();
  outage_.Failed(reason);
  last_failure_ = std::move(reason);
  throw Unavailable(fmt::format("{}: {}", url_.name(), last_failure_));
}

void RedisConnection::Ensure() {
  if (context_) return;
  if (outage_.UntilNextAttempt().count() > 0) {
    throw Unavailable(fmt::format("{}: {}", url_.name(), last_failure_));
  }
  Connect();
  LogIn();
}

void RedisConnection::Connect() {
  errno = 0;
  context_.reset(redisConnectWithTimeout(url_.host.c_str(), url_.port, kPatience));
  const int error_number = errno;
  if (!context_) Fail("out of memory");
  if (context_->err != 0) Fail(ReasonOf(*context_, error_number));
  if (redisSetTimeout(context_.get(), kPatience) != REDIS_OK ||
      redisEnableKeepAlive(context_.get()) != REDIS_OK) {
    Fail(ReasonOf(*context_, errno));
  }
  ++generation_;
}

void RedisConnection::LogIn() {
  if (!url_.password.empty()) {
    const Reply reply =
        url_.user.empty() ? Ask({"AUTH", url_.password}) : Ask({"AUTH", url_.user, url_.password});
    // A server that does not know AUTH repeats its arguments.
    if (reply->type == REDIS_REPLY_ERROR) Fail(WithoutPassword(TextOf(*reply), url_.password));
  }
  if (url_.database != 0) {
    const Reply reply = Ask({"SELECT", std::to_string(url_.database)});
    if (reply->type == REDIS_REPLY_ERROR) Fail(std::string(TextOf(*reply)));
  }
}

void RedisConnection::Write(const std::vector<std::string_view>& command) {
  std::vector<const char*> words;
  std::vector<std::size_t> lengths;
  words.reserve(command.size());
  lengths.reserve(command.size());
  for (const std::string_view word : command) {
    words.push_back(word.data());
    lengths.push_back(word.size());
  }
  errno = 0;
  int written = 0;
  int status = redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), words.data(),
                                      lengths.data());
  while (status == REDIS_OK && written == 0) status = redisBufferWrite(context_.get(), &written);
  const int error_number = errno;
  if (status != REDIS_OK) Fail(ReasonOf(*context_, error_number));
}

RedisConnection::Reply RedisConnection::Read() {
  void* answer = nullptr;
  errno = 0;
  const int status = redisGetReply(context_.get(), &answer);
  const int error_number = errno;
  if (status != REDIS_OK) Fail(ReasonOf(*context_, error_number));
  return Reply(static_cast<redisReply*>(answer));
}

void RedisConnection::Send(const RedisCall& call) {
  Write(Words("EVALSHA", call.script->sha1(), std::to_string(call.keys.size()), call));
}

std::vector<std::int64_t> RedisConnection::Answer(const RedisCall& call) {
  Reply reply = Read();
  if (reply->type == REDIS_REPLY_ERROR && TextOf(*reply).starts_with("NOSCRIPT")) {
    reply = Ask(Words("EVAL", call.script->text(), std::to_string(call.keys.size()), call));
  }
  if (reply->type == REDIS_REPLY_ERROR) Fail(std::string(TextOf(*reply)));
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != call.answers) {
    Fail("an answer that is not Redis's");
  }
  std::vector<std::int64_t> numbers;
  numbers.reserve(call.answers);
  for (std::size_t i = 0; i < call.answers; ++i) {
    const redisReply& element = *reply->element[i];
    if (element.type != REDIS_REPLY_INTEGER) Fail("an answer that is not Redis's");
    numbers.push_back(element.integer);
  }
  outage_.Ended();
  return numbers;
}

}  // namespace iq
