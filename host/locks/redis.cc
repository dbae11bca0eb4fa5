// Leases as Redis keys that expire: the value tells whose the key is, and only its owner extends
// or deletes it.
//
// After "Distributed locks with Redis" in the Redis documentation, the form for a single instance:
// SET with a random value and an expiry, compare-and-delete by a script. Two things are added. A
// script takes the keys of many sets at once, each set whole or not at all. And the value ends with
// the number of the connection that took the key: a request of an earlier connection, delivered
// late, finds a later value and leaves the key alone.
#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include "host/base/digest.h"
#include "host/base/error.h"
#include "host/locks/open.h"
#include "host/locks/redis_connection.h"
#include "host/locks/redis_url.h"

namespace iq {
namespace {

constexpr std::string_view kPrefix = "iq:lock:";

// Begins every script. A key of another type makes GET an error, which is nobody's value: the key
// is then busy, not ours.
constexpr std::string_view kOurs = R"lua(
local token = ARGV[1]
local function is_ours(value)
  return type(value) == 'string' and #value == #token
    and string.sub(value, 1, 32) == string.sub(token, 1, 32) and value <= token
end
)lua";

// KEYS: the keys of all sets, one set after the other. ARGV: the token, the lease in ms, then the
// number of keys of each set. Returns for each set 1 when taken, else 0.
constexpr std::string_view kTake = R"lua(
local taken = {}
local before = 0
for set = 3, #ARGV do
  local last = before + tonumber(ARGV[set])
  local free = true
  for i = before + 1, last do
    local value = redis.pcall('GET', KEYS[i])
    if value and not is_ours(value) then
      free = false
      break
    end
  end
  if free then
    for i = before + 1, last do
      redis.call('SET', KEYS[i], token, 'PX', ARGV[2])
    end
  end
  taken[#taken + 1] = free and 1 or 0
  before = last
end
return taken
)lua";

// KEYS: what we hold. ARGV: the token, the lease in ms. Returns for each key 1 when it is still
// ours, and then extended, else 0.
constexpr std::string_view kExtend = R"lua(
local kept = {}
for i = 1, #KEYS do
  local value = redis.pcall('GET', KEYS[i])
  kept[i] = is_ours(value) and 1 or 0
  if value == token then
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  elseif kept[i] == 1 then
    redis.call('SET', KEYS[i], token, 'PX', ARGV[2])
  end
end
return kept
)lua";

// KEYS: what we may hold. ARGV: the token. Returns how many were ours and are deleted.
constexpr std::string_view kGiveBack = R"lua(
local deleted = 0
for i = 1, #KEYS do
  if is_ours(redis.pcall('GET', KEYS[i])) then
    deleted = deleted + redis.call('DEL', KEYS[i])
  end
end
return {deleted}
)lua";

RedisScript ScriptOf(std::string_view body) {
  return RedisScript(fmt::format("{}{}", kOurs, body));
}

std::string RedisKey(const std::string& key) { return fmt::format("{}{}", kPrefix, key); }

std::string RandomHex128() {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    throw std::runtime_error("the system gives no random bytes");
  }
  return Hex(bytes);
}

class RedisLocks final : public Locks {
 public:
  RedisLocks(RedisUrl url, std::chrono::milliseconds lease)
      : connection_(std::move(url)), owner_(RandomHex128()), lease_(lease) {}

  std::vector<bool> TryAcquire(std::span<const LockKeys> sets) override;
  bool Renew() override;
  void StartRelease() override;
  void FinishRelease() override;
  Clock::time_point expires_at() const override;
  std::chrono::milliseconds UntilNextAttempt() const override {
    return connection_.UntilNextAttempt();
  }

 private:
  // By key as Redis knows it: when the lease ends at the earliest.
  using Leases = std::map<std::string, Clock::time_point>;

  std::string Token() const { return fmt::format("{}{:08x}", owner_, connection_.generation()); }
  // Whether the lease on `key` ran out before `now`: another may have held the key since, which
  // taking it anew would hide.
  bool HasLapsed(const std::string& key, Clock::time_point now) const {
    const auto lease = held_.find(RedisKey(key));
    return lease != held_.end() && lease->second <= now;
  }

  std::string LeaseText() const { return std::to_string(lease_.count()); }

  RedisConnection connection_;
  std::string owner_;
  std::chrono::milliseconds lease_;
  Leases held_;
  // Keys of requests whose answer was lost. A release deletes those that turn out to be ours.
  Leases perhaps_held_;
  std::optional<RedisCall> release_;  // Sent, and not answered.
};

std::vector<bool> RedisLocks::TryAcquire(std::span<const LockKeys> sets) {
  if (sets.empty()) return {};
  connection_.Ensure();
  const auto asked = Clock::now();
  std::vector<std::string> keys;
  std::vector<std::string> arguments{Token(), LeaseText()};
  std::vector<std::size_t> counts;
  for (const LockKeys& set : sets) {
    const bool lapsed = std::any_of(set.begin(), set.end(),
                                    [&](const std::string& key) { return HasLapsed(key, asked); });
    counts.push_back(lapsed ? 0 : set.size());
    arguments.push_back(std::to_string(counts.back()));
    for (std::size_t i = 0; i < counts.back(); ++i) keys.push_back(RedisKey(set[i]));
  }
  static const RedisScript take = ScriptOf(kTake);
  std::vector<std::int64_t> answers;
  try {
    answers = connection_.Run({&take, keys, arguments, sets.size()});
  } catch (const Unavailable&) {
    for (const std::string& key : keys) {
      if (!held_.contains(key)) perhaps_held_[key] = Clock::now() + lease_;
    }
    throw;
  }

  std::vector<bool> taken;
  taken.reserve(sets.size());
  auto key = keys.begin();
  for (std::size_t i = 0; i < sets.size(); ++i) {
    taken.push_back(answers[i] == 1 && counts[i] == sets[i].size());
    const auto last = key + static_cast<std::ptrdiff_t>(counts[i]);
    for (; key != last; ++key) {
      if (!taken.back()) continue;
      held_[*key] = asked + lease_;
      perhaps_held_.erase(*key);
    }
  }
  return taken;
}

bool RedisLocks::Renew() {
  if (held_.empty()) return true;
  connection_.Ensure();
  std::vector<std::string> keys;
  keys.reserve(held_.size());
  for (const auto& [key, end] : held_) keys.push_back(key);

  static const RedisScript extend = ScriptOf(kExtend);
  const auto asked = Clock::now();
  const auto kept = connection_.Run({&extend, keys, {Token(), LeaseText()}, keys.size()});
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (kept[i] == 1) {
      held_[keys[i]] = asked + lease_;
    } else {
      held_.erase(keys[i]);
    }
  }
  return held_.size() == keys.size();
}

void RedisLocks::StartRelease() {
  // From here on the caller relies on none of them, whether the server hears of it or not.
  std::erase_if(perhaps_held_,
                [now = Clock::now()](const auto& entry) { return entry.second <= now; });
  perhaps_held_.merge(held_);
  held_.clear();
  // A server that was away is asked all the same: that shows that it is back.
  if (perhaps_held_.empty() && !connection_.away()) return;

  connection_.Ensure();
  std::vector<std::string> keys;
  keys.reserve(perhaps_held_.size());
  for (const auto& [key, end] : perhaps_held_) keys.push_back(key);
  static const RedisScript give_back = ScriptOf(kGiveBack);
  const RedisCall call{&give_back, std::move(keys), {Token()}, 1};
  connection_.Send(call);
  release_ = call;
}

void RedisLocks::FinishRelease() {
  const auto call = std::exchange(release_, std::nullopt);
  if (!call) return;
  connection_.Answer(*call);
  perhaps_held_.clear();
}

Locks::Clock::time_point RedisLocks::expires_at() const {
  auto first = Clock::time_point::max();
  for (const auto& [key, end] : held_) first = std::min(first, end);
  return first;
}

class RedisLockService final : public LockService {
 public:
  RedisLockService(RedisUrl url, std::chrono::milliseconds lease)
      : url_(std::move(url)), lease_(lease) {}

  std::string name() const override { return url_.name(); }
  std::unique_ptr<Locks> Open() override { return std::make_unique<RedisLocks>(url_, lease_); }

 private:
  RedisUrl url_;
  std::chrono::milliseconds lease_;
};

}  // namespace

std::unique_ptr<LockService> OpenRedisLocks(const std::string& url,
                                            std::chrono::milliseconds lease) {
  // hiredis 0.14 writes without MSG_NOSIGNAL: a server that has hung up would end the process.
  (void)std::signal(SIGPIPE, SIG_IGN);
  return std::make_unique<RedisLockService>(ParseRedisUrl(url), lease);
}

}  // namespace iq
