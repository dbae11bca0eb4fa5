// Money under the hardest use: several hosts on a few hot accounts, and one of them killed with
// SIGKILL every few hundred milliseconds.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/e2e/bank.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kCommands = 20'000;
constexpr std::size_t kKills = 100;
constexpr auto kPatience = 300s;

// A new one takes the place of the killed one at once.
void KillOne(Installation& iq, std::mt19937_64& random) {
  auto& hosts = iq.hosts();
  auto& victim = hosts[random() % hosts.size()];
  EXPECT_TRUE(victim->running()) << "a host ended by itself";
  victim->Kill9();
  std::swap(victim, hosts.back());
  hosts.pop_back();
  iq.LaunchHost();
}

TEST(Bank, EveryCommandTakesEffectExactlyOnceThoughHostsAreKilled) {
  const std::uint64_t seed = Seed();
  std::mt19937_64 random(seed + 1);
  std::uniform_int_distribution<int> pause_ms(200, 400);
  Bank bank(seed);
  bank.iq().StartHosts(bank.iq().profile().hosts_max());
  const auto begin = std::chrono::steady_clock::now();
  std::size_t kills = 0;
  bool finished = false;
  while (!finished) {
    ASSERT_LT(std::chrono::steady_clock::now() - begin, kPatience) << bank.Journalled();
    const bool publishing = bank.published() < kCommands;
    if (publishing) bank.Publish(kCommands / kKills / 2);
    KillOne(bank.iq(), random);
    ++kills;
    if (publishing) bank.Publish(kCommands / kKills / 2);
    bank.ExpectConsistentSnapshot();
    finished = Eventually(std::chrono::milliseconds(pause_ms(random)), [&] {
      return bank.published() >= kCommands && kills >= kKills && bank.AllJournalled();
    });
  }
  fmt::print(
      "{} kills in {} s\n", kills,
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin)
          .count());
  EXPECT_TRUE(bank.iq().Drained(60s));
  for (const auto& host : bank.iq().hosts()) EXPECT_TRUE(host->running());
  bank.ExpectEverythingInOrder();
  bank.iq().StopHosts();
}

}  // namespace
}  // namespace iq::test
