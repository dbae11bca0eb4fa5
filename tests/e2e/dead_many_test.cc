// Ten thousand dead letters: quick to look through and to retry, and none is lost where the retry
// is killed on its way.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr std::size_t kLetters = 10'000;
constexpr std::size_t kUsers = 1'000;
// A round trip or a disk flush for each letter would take longer.
constexpr std::chrono::seconds kQuick{60};

std::vector<std::string> IdsIn(const std::string& json_lines) {
  std::vector<std::string> ids;
  ids.reserve(kLetters);
  std::istringstream lines(json_lines);
  for (std::string line; std::getline(lines, line);) ids.push_back(json::parse(line).at("id"));
  return ids;
}

class ManyDeadTest : public testing::Test {
 protected:
  // Each user's withdrawals are refused for want of money, by a host.
  ManyDeadTest() {
    std::vector<std::string> accounts;
    for (std::size_t user = 1; user <= kUsers; ++user)
      accounts.push_back(fmt::format("({},0)", user));
    iq_.store().Rows(
        fmt::format("INSERT INTO balance (user_id, sum) VALUES {}", fmt::join(accounts, ",")));
    iq_.StartHosts();
    std::vector<AmqpPublishing> commands;
    for (std::size_t i = 0; i < kLetters; ++i) {
      const auto user = static_cast<std::int64_t>(i % kUsers) + 1;
      commands.push_back({"billing", "", Body("withdraw", user, "1"), {}});
      commands.back().properties.message_id = NewId();
    }
    iq_.broker().Publish(commands);
    ExpectDead(kLetters);
    EXPECT_TRUE(iq_.Drained(20s));
    iq_.StopHosts();
  }

  void ExpectDead(std::size_t count) {
    EXPECT_TRUE(Eventually(60s, [&] { return iq_.DeadCount() == count; }))
        << iq_.DeadCount() << " instead of " << count << "\n"
        << iq_.Log();
  }

  // Runs a verb and notes how long it took.
  CliResult Timed(const std::string& name, const std::vector<std::string>& args) {
    const auto began = std::chrono::steady_clock::now();
    CliResult result = iq_.Cli(args);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    RecordProperty(name + "_seconds", fmt::format("{:.2f}", took.count()));
    EXPECT_EQ(result.status, kDone) << name << ": " << result.err.substr(0, 1000);
    EXPECT_LT(took, kQuick) << name;
    return result;
  }

  // Retries all, and sends `signal` once so many are back.
  CliResult InterruptedRetry(int signal, std::size_t back) {
    const auto retry = iq_.StartCli({"dead", "retry", "--all"});
    EXPECT_TRUE(Eventually(30s, [&] { return Retried() >= back; })) << Retried();
    retry->Signal(signal);
    return retry->Finish();
  }

  std::size_t Retried() { return iq_.broker().Depth("billing"); }

  // Each is among the dead or back, or both.
  void ExpectNoneLost() {
    EXPECT_TRUE(Eventually(20s, [&] { return iq_.DeadCount() + Retried() >= kLetters; }))
        << iq_.DeadCount() << " dead and " << Retried() << " back";
    EXPECT_TRUE(Eventually(5s, [&] { return iq_.DeadCount() > 0; }))
        << "it came to its end before the signal";
  }

  void ExpectEachCarriedOutOnce() {
    iq_.store().Rows("UPDATE balance SET sum = 20000");
    iq_.StartHosts();
    EXPECT_TRUE(Eventually(60s, [&] { return Done() == kLetters; })) << Done() << iq_.Log();
    EXPECT_TRUE(iq_.Drained(20s));
    iq_.StopHosts();
    const std::size_t each = kLetters / kUsers * 1'000;
    EXPECT_EQ(iq_.store().Value(
                  fmt::format("SELECT count(*) FROM balance WHERE sum = {}", 20'000 - each)),
              std::to_string(kUsers));
    ExpectDead(0);
  }

  std::size_t Done() {
    return std::stoul(iq_.store().Value("SELECT count(*) FROM iq.journal WHERE outcome = 'done'"));
  }

  Installation iq_;
};

TEST_F(ManyDeadTest, AreLookedThroughAndRetriedQuicklyAndNoneIsLostWhereTheRetryIsKilled) {
  const std::vector<std::string> ids = IdsIn(Timed("list", {"dead", "list", "--json"}).out);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), kLetters);
  ExpectDead(kLetters);
  const json group = json::parse(Timed("group", {"dead", "list", "--group", "--json"}).out);
  EXPECT_EQ(group.at("count"), kLetters);
  EXPECT_EQ(group.at("code"), "insufficient_funds");
  ExpectDead(kLetters);
  const std::string rehearsed =
      Timed("dry_run", {"dead", "retry", "--all", "--dry-run", "--json"}).out;
  EXPECT_TRUE(IdsIn(rehearsed) == ids) << "in another order";
  ExpectDead(kLetters);

  EXPECT_EQ(InterruptedRetry(SIGKILL, 1'000).status, -1);
  ExpectNoneLost();
  const CliResult stopped = InterruptedRetry(SIGINT, Retried() + 1'000);
  EXPECT_EQ(stopped.status, kFailed);
  EXPECT_THAT(stopped.err, HasSubstr("iq: stopped after "));
  ExpectNoneLost();
  Timed("retry_of_the_rest", {"dead", "retry", "--all"});
  ExpectDead(0);
  ExpectEachCarriedOutOnce();
}

}  // namespace
}  // namespace iq::test
