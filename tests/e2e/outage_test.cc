// Every server dies under load, one after the other, and nobody repairs anything.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stop_token>
#include <thread>

#include "tests/e2e/bank.h"
#include "tests/support/eventually.h"
#include "tests/support/shared_servers.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kHosts = 4;
constexpr std::size_t kCommands = 3'000;
constexpr std::size_t kPortion = 25;

// Publishes a portion every 150 ms, and looks at a snapshot each time, until it is stopped.
class SteadyLoad {
 public:
  explicit SteadyLoad(Bank& bank)
      : bank_(bank), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

  // Returns once at least `count` commands are published.
  void Finish(std::size_t count) {
    thread_.request_stop();
    thread_.join();
    if (bank_.published() < count) bank_.Publish(count - bank_.published());
  }

 private:
  void Run(const std::stop_token& stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any stopped;
    while (!stop.stop_requested()) {
      bank_.Publish(kPortion);
      bank_.ExpectConsistentSnapshot();
      stopped.wait_for(lock, stop, 150ms, [] { return false; });
    }
  }

  Bank& bank_;
  std::jthread thread_;
};

class OutageTest : public testing::Test {
 protected:
  void SetUp() override {
    bank().iq().StartHosts(kHosts);
    pids_.reserve(kHosts);
    for (const auto& host : bank().iq().hosts()) pids_.push_back(host->pid());
    // Queues and bindings are there for some seconds only as far as the broker's disk is concerned.
    TestServers().FlushDeclarations();
  }

  Bank& bank() { return bank_; }

  // The hosts are at work again, as more and more commands in the journal show.
  void ExpectProgress(const std::string& after) {
    constexpr std::size_t kEnough = 4 * kPortion;
    const std::size_t before = bank_.Journalled();
    EXPECT_TRUE(Eventually(60s, [&] { return bank_.Journalled() >= before + kEnough; }))
        << "no progress after " << after;
  }

  // Each host lives for all of `duration`.
  void ExpectHostsLive(std::chrono::milliseconds duration) {
    EXPECT_FALSE(Eventually(duration, [&] {
      const auto& hosts = bank_.iq().hosts();
      return !std::all_of(hosts.begin(), hosts.end(),
                          [](const auto& host) { return host->running(); });
    })) << "a host has ended";
  }

  void KillAndStart(Server server, const std::string& name) {
    TestServers().Kill(server);
    ExpectHostsLive(2s);
    TestServers().Start(server);
    ExpectProgress("the death of " + name);
  }

  void FlushLocks() {
    Process flush({"redis-cli", "-u", TestServers().locks_url(), "FLUSHALL"},
                  {.stdout_file = "/dev/null", .stderr_file = "/dev/null"});
    EXPECT_EQ(flush.Wait(10s), ExitStatus{.code = 0});
  }

  // One line when an outage begins and one when it ends; and no flood.
  void ExpectQuietLog();

  std::vector<pid_t> pids_;

 private:
  struct LogCounts {
    std::map<std::pair<pid_t, std::string>, int> begun;  // By host and server.
    std::map<std::pair<pid_t, std::string>, int> ended;
    std::map<pid_t, int> other_alarms;  // Other warnings and errors.
  };
  LogCounts CountLog();

  Bank bank_{Seed()};
};

OutageTest::LogCounts OutageTest::CountLog() {
  LogCounts counts;
  std::istringstream lines(bank_.iq().Log());
  for (std::string line; std::getline(lines, line);) {
    const auto record = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object()) continue;
    const pid_t pid = record.at("pid");
    const std::string message = record.at("message");
    const std::string level = record.at("level");
    const std::string server = message.substr(0, message.find(' '));
    if (message.find(" is unavailable: ") != std::string::npos && level == "warn") {
      ++counts.begun[{pid, server}];
    } else if (message.find(" is back after ") != std::string::npos) {
      ++counts.ended[{pid, server}];
    } else if (level == "warn" || level == "error") {
      ++counts.other_alarms[pid];
    }
  }
  return counts;
}

void OutageTest::ExpectQuietLog() {
  constexpr int kOtherAlarmsMax = 10;
  struct Expectation {
    std::string server;
    int least;  // A host that had nothing to do in between takes two outages for one.
    int most;   // A connection that was idle may notice what others have seen to end.
  };
  EXPECT_TRUE(Eventually(20s, [&] {
    const LogCounts counts = CountLog();
    return counts.begun == counts.ended;
  })) << "an outage that does not end, kept in the log";
  LogCounts counts = CountLog();
  for (const pid_t pid : pids_) {
    for (const auto& [server, least, most] :
         {Expectation{"redis", 1, 1}, {"rabbitmq", 1, 3}, {"postgresql", 1, 4}}) {
      const int begun = counts.begun[{pid, server}];
      EXPECT_GE(begun, least) << server;
      EXPECT_LE(begun, most) << server;
    }
    EXPECT_LE(counts.other_alarms[pid], kOtherAlarmsMax);
  }
}

TEST_F(OutageTest, NothingIsLostOrRepeatedWhenServersDie) {
  SteadyLoad load(bank());
  ExpectProgress("the start");
  KillAndStart(Server::kRedis, "Redis");
  KillAndStart(Server::kRabbit, "RabbitMQ");
  KillAndStart(Server::kPostgres, "PostgreSQL");

  TestServers().Stop(Server::kPostgres);
  TestServers().Start(Server::kPostgres);
  ExpectProgress("an orderly restart of PostgreSQL");

  for (int i = 0; i < 5; ++i) {
    FlushLocks();
    ExpectProgress("FLUSHALL");
  }
  load.Finish(kCommands);
  EXPECT_TRUE(Eventually(60s, [&] { return bank().AllJournalled(); })) << bank().iq().Log();
  EXPECT_TRUE(bank().iq().Drained(60s));
  bank().ExpectEverythingInOrder();

  for (std::size_t i = 0; i < kHosts; ++i) {
    EXPECT_TRUE(bank().iq().hosts()[i]->running());
    EXPECT_EQ(bank().iq().hosts()[i]->pid(), pids_[i]);
  }
  ExpectQuietLog();
  bank().iq().StopHosts();
}

}  // namespace
}  // namespace iq::test
