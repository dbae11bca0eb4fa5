#include "bench/peers/floor/locks.h"

#include <fmt/format.h>

#include <charconv>
#include <stdexcept>
#include <utility>

namespace iq::bench::floor {
namespace {

using namespace std::chrono_literals;

constexpr auto kLease = 30s;
constexpr auto kCommitMargin = 10s;

// KEYS: those of all sets, one set after the other. ARGV: the token, the lease in ms, then the
// number of keys of each set. Returns for each set 1 when taken, else 0.
constexpr std::string_view kTake = R"lua(
local answers = {}
local before = 0
for set = 3, #ARGV do
  local last = before + tonumber(ARGV[set])
  local added = {}
  local taken = 1
  for i = before + 1, last do
    if redis.call('SET', KEYS[i], ARGV[1], 'NX', 'PX', ARGV[2]) then
      added[#added + 1] = KEYS[i]
    elseif redis.call('GET', KEYS[i]) ~= ARGV[1] then
      taken = 0
      for _, key in ipairs(added) do redis.call('DEL', key) end
      break
    end
  end
  answers[#answers + 1] = taken
  before = last
end
return answers
)lua";

// KEYS: what may be ours. ARGV: the token.
constexpr std::string_view kGiveBack = R"lua(
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
)lua";

// redis://:PASSWORD@HOST:PORT, perhaps with /DATABASE.
struct Address {
  explicit Address(std::string_view url) {
    constexpr std::string_view kScheme = "redis://";
    if (!url.starts_with(kScheme)) throw std::runtime_error("the URL of the locks");
    url.remove_prefix(kScheme.size());
    if (const auto slash = url.find('/'); slash != std::string_view::npos) {
      database = url.substr(slash + 1);
      url = url.substr(0, slash);
    }
    if (const auto at = url.rfind('@'); at != std::string_view::npos) {
      password = url.substr(url.find(':') + 1, at - url.find(':') - 1);
      url.remove_prefix(at + 1);
    }
    const auto colon = url.find(':');
    host = url.substr(0, colon);
    if (colon != std::string_view::npos) {
      std::from_chars(url.data() + colon + 1, url.data() + url.size(), port);
    }
  }

  std::string host;
  int port = 6379;
  std::string password;
  std::string database;
};

}  // namespace

Locks::Locks(std::string_view url) : token_(UuidText(RandomUuid())) {
  const Address address(url);
  context_.reset(redisConnect(address.host.c_str(), address.port));
  if (!context_ || context_->err != 0) throw std::runtime_error("cannot connect to Redis");
  if (!address.password.empty()) {
    Send(std::vector<std::string>{"AUTH", address.password});
    Read();
  }
  if (!address.database.empty()) {
    Send(std::vector<std::string>{"SELECT", address.database});
    Read();
  }
  take_ = Load(kTake);
  give_back_ = Load(kGiveBack);
}

std::string Locks::Load(std::string_view script) {
  Send(std::vector<std::string>{"SCRIPT", "LOAD", std::string(script)});
  return Read()->str;
}

void Locks::Ask(std::span<Command* const> commands) {
  keys_.clear();
  std::vector<std::string> arguments{"EVALSHA", take_, ""};
  for (const Command* command : commands) {
    for (const std::string& key : command->keys) {
      keys_.push_back("iq:lock:" + key);
      arguments.push_back(keys_.back());
    }
  }
  arguments[2] = std::to_string(keys_.size());
  arguments.push_back(token_);
  arguments.push_back(std::to_string(std::chrono::milliseconds(kLease).count()));
  for (const Command* command : commands) {
    arguments.push_back(std::to_string(command->keys.size()));
  }
  asked_ = Clock::now();
  Send(arguments);
}

std::vector<bool> Locks::Answer() {
  if (std::exchange(giving_back_, false)) Read();
  const Reply reply = Read();
  std::vector<bool> taken(reply->elements);
  for (std::size_t i = 0; i < taken.size(); ++i) taken[i] = reply->element[i]->integer == 1;
  return taken;
}

bool Locks::Safe() const { return Clock::now() - asked_ < kLease - kCommitMargin; }

void Locks::GiveBack() {
  std::vector<std::string> arguments{"EVALSHA", give_back_, std::to_string(keys_.size())};
  arguments.insert(arguments.end(), keys_.begin(), keys_.end());
  arguments.push_back(token_);
  Send(arguments);
  giving_back_ = true;
}

void Locks::Send(std::span<const std::string> arguments) {
  std::vector<const char*> texts;
  std::vector<std::size_t> lengths;
  for (const std::string& argument : arguments) {
    texts.push_back(argument.data());
    lengths.push_back(argument.size());
  }
  int done = 0;
  redisAppendCommandArgv(context_.get(), static_cast<int>(texts.size()), texts.data(),
                         lengths.data());
  while (done == 0) {
    if (redisBufferWrite(context_.get(), &done) != REDIS_OK) {
      throw std::runtime_error("Redis was lost");
    }
  }
}

Locks::Reply Locks::Read() {
  void* reply = nullptr;
  if (redisGetReply(context_.get(), &reply) != REDIS_OK) throw std::runtime_error("Redis was lost");
  Reply owned(static_cast<redisReply*>(reply));
  if (owned->type == REDIS_REPLY_ERROR) throw std::runtime_error(owned->str);
  return owned;
}

}  // namespace iq::bench::floor
