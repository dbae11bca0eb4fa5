// Leases against a real Redis: what two holders may see, and what a server's failures look like.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "host/base/error.h"
#include "host/locks/locks.h"
#include "host/locks/redis_url.h"
#include "tests/integration/redis_client.h"
#include "tests/support/eventually.h"
#include "tests/support/servers.h"
#include "tests/support/tcp_proxy.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Clock = Locks::Clock;

constexpr std::chrono::milliseconds kLong = 60s;
constexpr test::Server kRedis = test::Server::kRedis;

template <typename Condition>
bool Eventually(Condition condition) {
  return test::Eventually(10s, std::move(condition));
}

// What `call` throws as Unavailable.
template <typename Call>
std::string UnavailableFrom(Call call) {
  try {
    call();
  } catch (const Unavailable& e) {
    return e.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

class Redis : public ::testing::Test {
 protected:
  static test::Servers& Server() {
    static test::Servers servers{kRedis};
    return servers;
  }

  void SetUp() override { Command("FLUSHALL"); }

  static std::string Url() { return Server().locks_url(); }

  static std::string InDatabase(int number) {
    const RedisUrl url = ParseRedisUrl(Url());
    return fmt::format("redis://:{}@{}:{}/{}", url.password, url.host, url.port, number);
  }

  static std::unique_ptr<Locks> Open(std::chrono::milliseconds lease = kLong) {
    return OpenLocks(Url(), lease)->Open();
  }

  static bool Take(Locks& locks, LockKeys keys) {
    const std::vector<LockKeys> sets{std::move(keys)};
    return locks.TryAcquire(sets).at(0);
  }

  template <typename... Words>
  static std::string Command(const Words&... words) {
    return test::RedisClient(Url()).Command({std::string(words)...});
  }

  static std::uint16_t Port() { return static_cast<std::uint16_t>(ParseRedisUrl(Url()).port); }

  static int MillisecondsLeft(const std::string& key) {
    return std::stoi(Command("PTTL", "iq:lock:" + key));
  }
};

TEST_F(Redis, AKeyIsHeldByOneAtATime) {
  const auto one = Open();
  const auto two = Open();
  EXPECT_TRUE(Take(*one, {"a"}));
  EXPECT_FALSE(Take(*two, {"a"}));
  one->Release();
  EXPECT_TRUE(Take(*two, {"a"}));
  EXPECT_FALSE(Take(*one, {"a"}));
}

TEST_F(Redis, ASetIsTakenWholeOrNotAtAll) {
  const auto one = Open();
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"b"}));
  EXPECT_FALSE(Take(*two, {"a", "b", "c"}));
  EXPECT_TRUE(Take(*one, {"a", "c"}));
}

TEST_F(Redis, OneCallTakesTheSetsThatAreFreeAndLeavesTheOthers) {
  const auto one = Open();
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"b"}));
  const std::vector<LockKeys> sets{{"a"}, {"b", "c"}, {"c", "d"}, {}};
  EXPECT_THAT(two->TryAcquire(sets), ElementsAre(true, false, true, true));
  EXPECT_FALSE(Take(*one, {"c"}));
}

TEST_F(Redis, SetsOfOneHolderMayShareKeys) {
  const auto one = Open();
  const auto two = Open();
  const std::vector<LockKeys> sets{{"a", "b"}, {"b", "c"}, {"a"}};
  EXPECT_THAT(one->TryAcquire(sets), Each(true));
  EXPECT_TRUE(Take(*one, {"c", "d"}));
  for (const char* key : {"a", "b", "c", "d"}) EXPECT_FALSE(Take(*two, {key})) << key;
  one->Release();
  EXPECT_TRUE(Take(*two, {"a", "b", "c", "d"}));
}

TEST_F(Redis, NothingAskedIsNothingSent) {
  const auto locks = OpenLocks("redis://127.0.0.1:1", kLong)->Open();
  EXPECT_TRUE(locks->TryAcquire({}).empty());
  EXPECT_TRUE(locks->Renew());
  EXPECT_NO_THROW(locks->Release());
}

TEST_F(Redis, ALeaseThatIsNotRenewedEndsByItself) {
  const auto one = Open(150ms);
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"a"}));
  EXPECT_FALSE(Take(*two, {"a"}));
  EXPECT_TRUE(Eventually([&] { return Take(*two, {"a"}); }));
  EXPECT_LE(one->expires_at(), Clock::now());
  EXPECT_FALSE(one->Renew());
  EXPECT_FALSE(Take(*one, {"a"}));
}

TEST_F(Redis, ALeaseWithAGapIsNotTakenForOneWithout) {
  const auto one = Open(100ms);
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"a"}));
  ASSERT_TRUE(Eventually([&] { return Take(*two, {"a"}); }));
  two->Release();
  const std::vector<LockKeys> sets{{"a", "b"}, {"c"}};
  EXPECT_THAT(one->TryAcquire(sets), ElementsAre(false, true));
  EXPECT_LE(one->expires_at(), Clock::now());
  EXPECT_FALSE(one->Renew());
  EXPECT_THAT(one->TryAcquire(sets), Each(true));
}

TEST_F(Redis, TheEndOfALeaseIsCountedFromBeforeTheRequest) {
  const auto locks = Open(10s);
  EXPECT_EQ(locks->expires_at(), Clock::time_point::max());
  const auto before = Clock::now();
  ASSERT_TRUE(Take(*locks, {"a"}));
  const auto after = Clock::now();
  EXPECT_GE(locks->expires_at(), before + 10s);
  EXPECT_LE(locks->expires_at(), after + 10s);
  // The server must not let go before we think it does. It counts in whole milliseconds.
  const std::chrono::milliseconds left(MillisecondsLeft("a") + 1);
  EXPECT_GE(Clock::now() + left, locks->expires_at());
  locks->Release();
  EXPECT_EQ(locks->expires_at(), Clock::time_point::max());
}

TEST_F(Redis, RenewExtendsEveryLeaseHeld) {
  const auto locks = Open(30s);
  ASSERT_TRUE(Take(*locks, {"a", "b"}));
  for (const char* key : {"a", "b"}) {
    ASSERT_EQ(Command("PEXPIRE", std::string("iq:lock:") + key, "5000"), "1");
  }
  const auto before = Clock::now();
  EXPECT_TRUE(locks->Renew());
  EXPECT_GT(MillisecondsLeft("a"), 25000);
  EXPECT_GT(MillisecondsLeft("b"), 25000);
  EXPECT_GE(locks->expires_at(), before + 30s);
}

TEST_F(Redis, TakingAKeyAgainExtendsIt) {
  const auto locks = Open(30s);
  ASSERT_TRUE(Take(*locks, {"a"}));
  ASSERT_EQ(Command("PEXPIRE", "iq:lock:a", "5000"), "1");
  ASSERT_TRUE(Take(*locks, {"a", "b"}));
  EXPECT_GT(MillisecondsLeft("a"), 25000);
}

TEST_F(Redis, RenewNoticesThatTheServerForgot) {
  const auto locks = Open();
  ASSERT_TRUE(Take(*locks, {"a", "b"}));
  Command("FLUSHALL");
  EXPECT_FALSE(locks->Renew());
  // The loss is told once; what is lost is no longer held.
  EXPECT_EQ(locks->expires_at(), Clock::time_point::max());
  EXPECT_TRUE(locks->Renew());
}

TEST_F(Redis, RenewKeepsWhatIsStillOursWhenAnotherKeyIsLost) {
  const auto locks = Open();
  ASSERT_TRUE(Take(*locks, {"a", "b"}));
  Command("SET", "iq:lock:a", "somebody else");
  EXPECT_FALSE(locks->Renew());
  EXPECT_TRUE(locks->Renew());
  EXPECT_LT(locks->expires_at(), Clock::time_point::max());
  EXPECT_EQ(Command("GET", "iq:lock:a"), "somebody else");
}

TEST_F(Redis, ReleaseLeavesAloneWhatIsAnothersByNow) {
  const auto one = Open();
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"a"}));
  Command("DEL", "iq:lock:a");
  ASSERT_TRUE(Take(*two, {"a"}));
  one->Release();
  EXPECT_TRUE(two->Renew());
  EXPECT_FALSE(Take(*one, {"a"}));
}

TEST_F(Redis, AKeyOfAnotherTypeIsBusy) {
  Command("HSET", "iq:lock:a", "field", "value");
  const auto locks = Open();
  EXPECT_FALSE(Take(*locks, {"a"}));
  EXPECT_TRUE(Take(*locks, {"b"}));
}

TEST_F(Redis, KeysMayHoldAnyBytes) {
  using std::string_literals::operator""s;
  const auto one = Open();
  const auto two = Open();
  const LockKeys keys{""s, "\0"s, "\0a"s, "a b\r\n*3\r\n%s %d"s, "\xFF\xFE"s};
  ASSERT_TRUE(Take(*one, keys));
  for (const auto& key : keys) EXPECT_FALSE(Take(*two, {key}));
  EXPECT_EQ(Command("EXISTS", "iq:lock:"s + "\0a"s), "1");
  EXPECT_TRUE(Take(*two, {"\0b"s}));
  one->Release();
  EXPECT_TRUE(Take(*two, keys));
}

TEST_F(Redis, AThousandKeysGoIntoOneCall) {
  const auto one = Open();
  const auto two = Open();
  std::vector<LockKeys> sets;
  sets.reserve(500);
  for (int i = 0; i < 500; ++i) sets.push_back({fmt::format("x{}", i), fmt::format("y{}", i)});
  const auto calls = [] {
    const std::string info = Command("INFO", "commandstats");
    const auto at = info.find("cmdstat_evalsha:calls=");
    return at == std::string::npos ? 0 : std::stoi(info.substr(at + 22));
  };
  ASSERT_TRUE(Take(*one, {"warm"}));
  const int before = calls();
  EXPECT_THAT(one->TryAcquire(sets), Each(true));
  EXPECT_EQ(calls(), before + 1);
  EXPECT_THAT(two->TryAcquire(sets), Each(false));
  EXPECT_TRUE(one->Renew());
  one->Release();
  EXPECT_THAT(two->TryAcquire(sets), Each(true));
}

TEST_F(Redis, AForgottenScriptIsSentAgain) {
  const auto one = Open();
  const auto two = Open();
  Command("SCRIPT", "FLUSH");
  EXPECT_TRUE(Take(*one, {"a"}));
  Command("SCRIPT", "FLUSH");
  EXPECT_TRUE(one->Renew());
  Command("SCRIPT", "FLUSH");
  one->Release();
  EXPECT_TRUE(Take(*two, {"a"}));
}

TEST_F(Redis, AKilledServerIsUnavailableUntilItIsBack) {
  const auto locks = Open();
  ASSERT_TRUE(Take(*locks, {"a"}));
  Server().Kill(kRedis);
  EXPECT_THAT(UnavailableFrom([&] { (void)locks->Renew(); }),
              HasSubstr(ParseRedisUrl(Url()).name() + ": "));
  EXPECT_GT(locks->UntilNextAttempt(), 0ms);
  EXPECT_LT(locks->expires_at(), Clock::time_point::max()) << "it may still be ours";
  // Before the next attempt is due the answer is there at once.
  EXPECT_TRUE(Eventually([&] {
    const auto left = locks->UntilNextAttempt();
    const auto before = Clock::now();
    UnavailableFrom([&] { Take(*locks, {"b"}); });
    return Clock::now() - before < left / 2;
  }));

  Server().Start(kRedis);
  bool kept = true;
  EXPECT_TRUE(Eventually([&] {
    if (locks->UntilNextAttempt() > 0ms) return false;
    try {
      kept = locks->Renew();
    } catch (const Unavailable&) {
      return false;
    }
    return true;
  }));
  // It keeps nothing on disk, so the lease is gone, and we are told.
  EXPECT_FALSE(kept);
  EXPECT_EQ(locks->UntilNextAttempt(), 0ms);
  EXPECT_TRUE(Take(*locks, {"a"}));
}

TEST_F(Redis, APausedServerIsUnavailableWithinTwoSeconds) {
  const auto locks = Open();
  ASSERT_TRUE(Take(*locks, {"a"}));
  Server().Pause(kRedis);
  const auto before = Clock::now();
  const std::string reason = UnavailableFrom([&] { Take(*locks, {"b"}); });
  const auto taken = Clock::now() - before;
  ASSERT_TRUE(Eventually([&] { return locks->UntilNextAttempt() == 0ms; }));
  const auto again = Clock::now();
  UnavailableFrom([&] { (void)locks->Renew(); });
  const auto taken_again = Clock::now() - again;
  Server().Resume(kRedis);

  EXPECT_THAT(reason, HasSubstr("no answer within 1 s"));
  EXPECT_GT(taken, 900ms);
  EXPECT_LT(taken, 2s);
  EXPECT_LT(taken_again, 2s);
  // "a" was held all along; "b" may have been taken by the request whose answer was lost.
  EXPECT_TRUE(Eventually([&] { return locks->UntilNextAttempt() == 0ms; }));
  EXPECT_TRUE(locks->Renew());
  EXPECT_TRUE(Take(*locks, {"a", "b"}));
}

TEST_F(Redis, WhatWasTakenByARequestWithoutAnswerIsReleased) {
  test::TcpProxy proxy("127.0.0.1", Port());
  const auto one = OpenLocks(proxy.Through(Url()), kLong)->Open();
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"a"}));
  proxy.OnClientBytes([](std::string_view) { return test::TcpProxy::Action::kCutAfter; });
  UnavailableFrom([&] { Take(*one, {"b"}); });
  proxy.OnClientBytes(nullptr);
  ASSERT_TRUE(Eventually([] { return Command("EXISTS", "iq:lock:b") == "1"; }));
  EXPECT_FALSE(Take(*two, {"b"}));
  ASSERT_TRUE(Eventually([&] { return one->UntilNextAttempt() == 0ms; }));
  one->Release();
  EXPECT_TRUE(Take(*two, {"a", "b"}));
}

TEST_F(Redis, AFailedReleaseIsMadeUpForByTheNext) {
  const auto one = Open();
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"a"}));
  Command("CLIENT", "KILL", "TYPE", "normal");
  UnavailableFrom([&] { one->Release(); });
  EXPECT_EQ(one->expires_at(), Clock::time_point::max()) << "its caller no longer relies on it";
  EXPECT_EQ(Command("EXISTS", "iq:lock:a"), "1");
  ASSERT_TRUE(Eventually([&] { return one->UntilNextAttempt() == 0ms; }));
  one->Release();
  EXPECT_TRUE(Take(*two, {"a"}));
}

TEST_F(Redis, ARequestOfAnEarlierConnectionThatArrivesLateLeavesANewLeaseAlone) {
  test::TcpProxy proxy("127.0.0.1", Port());
  const auto locks = OpenLocks(proxy.Through(Url()), kLong)->Open();
  ASSERT_TRUE(Take(*locks, {"a"}));
  std::string release;
  proxy.OnClientBytes([&release](std::string_view bytes) {
    release += bytes;
    return test::TcpProxy::Action::kCutBefore;
  });
  UnavailableFrom([&] { locks->Release(); });
  proxy.OnClientBytes(nullptr);
  ASSERT_TRUE(Eventually([&] { return locks->UntilNextAttempt() == 0ms; }));
  ASSERT_TRUE(Take(*locks, {"b"}));
  locks->Release();
  EXPECT_EQ(Command("EXISTS", "iq:lock:a"), "0");
  ASSERT_TRUE(Take(*locks, {"a"}));

  EXPECT_EQ(test::RedisClient(Url()).Send(release), "0") << "a key was deleted";
  EXPECT_TRUE(locks->Renew());
}

TEST_F(Redis, AWrongPasswordIsUnavailableAndIsNotRepeated) {
  const int port = Port();
  const auto open = [port](const std::string& login) {
    return OpenLocks(fmt::format("redis://{}127.0.0.1:{}", login, port), kLong)->Open();
  };
  const auto wrong = open(":wr%6Fng@");
  EXPECT_THAT(UnavailableFrom([&] { Take(*wrong, {"a"}); }),
              AllOf(HasSubstr("WRONGPASS"), Not(HasSubstr("wrong"))));
  const auto missing = open("");
  EXPECT_THAT(UnavailableFrom([&] { Take(*missing, {"a"}); }), HasSubstr("NOAUTH"));
  EXPECT_TRUE(Take(*open("default:i%71@"), {"a"}));
  EXPECT_TRUE(Take(*open(":i%71@"), {"b"}));

  // Whoever has been refused is let in once the server agrees.
  ASSERT_EQ(Command("CONFIG", "SET", "requirepass", ""), "OK");
  ASSERT_TRUE(Eventually([&] { return missing->UntilNextAttempt() == 0ms; }));
  EXPECT_TRUE(Take(*missing, {"c"}));
  ASSERT_EQ(Command("CONFIG", "SET", "requirepass", "iq"), "OK");
}

TEST_F(Redis, ARefusalToWriteIsUnavailable) {
  const auto locks = Open();
  ASSERT_TRUE(Take(*locks, {"a"}));
  ASSERT_EQ(Command("CONFIG", "SET", "maxmemory", "1"), "OK");
  EXPECT_THAT(UnavailableFrom([&] { Take(*locks, {"b"}); }), HasSubstr("OOM"));
  ASSERT_TRUE(Eventually([&] { return locks->UntilNextAttempt() == 0ms; }));
  ASSERT_EQ(Command("CONFIG", "SET", "maxmemory", "0"), "OK");

  ASSERT_EQ(Command("REPLICAOF", "127.0.0.1", "1"), "OK");
  EXPECT_THAT(UnavailableFrom([&] { Take(*locks, {"b"}); }), HasSubstr("READONLY"));
  ASSERT_EQ(Command("REPLICAOF", "NO", "ONE"), "OK");
  ASSERT_TRUE(Eventually([&] { return locks->UntilNextAttempt() == 0ms; }));
  EXPECT_TRUE(Take(*locks, {"b"}));
}

TEST_F(Redis, TheDatabaseOfTheUrlIsUsed) {
  const auto zero = Open();
  const auto three = OpenLocks(InDatabase(3), kLong)->Open();
  EXPECT_TRUE(Take(*zero, {"a"}));
  EXPECT_TRUE(Take(*three, {"a"}));
  const auto none = OpenLocks(InDatabase(100000), kLong)->Open();
  EXPECT_THAT(UnavailableFrom([&] { Take(*none, {"a"}); }), HasSubstr("DB index"));
}

TEST_F(Redis, NoServerIsUnavailable) {
  const auto service = OpenLocks("redis://:secret@127.0.0.1:1", kLong);
  EXPECT_EQ(service->name(), "redis at 127.0.0.1:1");
  const auto locks = service->Open();
  EXPECT_THAT(
      UnavailableFrom([&] { Take(*locks, {"a"}); }),
      AllOf(HasSubstr("redis at 127.0.0.1:1: Connection refused"), Not(HasSubstr("secret"))));
}

// Each round takes a pair of five keys; a key's counter tells whether anybody else is inside.
TEST_F(Redis, EightThreadsNeverMeetInsideAKey) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 300;
  constexpr std::size_t kKeys = 5;
  std::array<std::atomic<int>, kKeys> inside{};
  std::atomic<int> meetings{0};
  std::atomic<int> entries{0};
  {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (unsigned t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const auto locks = Open();
        std::minstd_rand random(t + 1);
        for (int done = 0; done < kRounds;) {
          const std::size_t first = random() % (kKeys - 1);
          const std::size_t second = first + 1 + random() % (kKeys - 1 - first);
          if (!Take(*locks, {fmt::format("k{}", first), fmt::format("k{}", second)})) continue;
          for (const auto key : {first, second}) meetings += inside.at(key).fetch_add(1);
          std::this_thread::yield();
          for (const auto key : {first, second}) inside.at(key).fetch_sub(1);
          locks->Release();
          ++done;
          ++entries;
        }
      });
    }
  }
  EXPECT_EQ(entries, kThreads * kRounds);
  EXPECT_EQ(meetings, 0);
}

}  // namespace
}  // namespace iq
