// Ten hosts under a real supervisord with the shipped configuration.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <regex>
#include <sstream>
#include <stop_token>
#include <thread>

#include "tests/e2e/bank.h"
#include "tests/support/eventually.h"
#include "tests/support/shared_servers.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kHosts = 10;
constexpr std::size_t kPrograms = kHosts + 1;  // With the console.
constexpr const char* kSupervisorConfig = IQ_SOURCE_DIR "/docker/supervisord.conf";

class Supervisor {
 public:
  explicit Supervisor(const Installation& iq)
      : directory_(iq.directory() + "/supervisor"),
        log_(directory_ + "/supervisord.log"),
        environment_{{"IQ_BIN", IQ_BINARY_DIR "/iq"},
                     {"IQ_CONFIG", iq.config()},
                     {"IQ_VAR", directory_},
                     {"IQ_BROKER_URL", TestServers().broker_url()},
                     {"IQ_STORE_URL", TestServers().store_url()},
                     {"IQ_LOCKS_URL", TestServers().locks_url()}} {
    std::filesystem::create_directory(directory_);
    process_ = std::make_unique<Process>(
        std::vector<std::string>{"supervisord", "-c", kSupervisorConfig}, Options(log_));
  }

  Process& process() { return *process_; }

  // What supervisord and, in between, its hosts have said.
  std::string Log() const { return ReadFile(log_); }

  std::string Control(const std::vector<std::string>& words) {
    const std::string out = fmt::format("{}/control-{}.out", directory_, ++controls_);
    std::vector<std::string> argv{"supervisorctl", "-c", kSupervisorConfig};
    argv.insert(argv.end(), words.begin(), words.end());
    Process control(argv, Options(out));
    EXPECT_TRUE(control.Wait(60s).has_value());
    return ReadFile(out);
  }

  // The pids of the hosts that are RUNNING.
  std::set<std::string> Running() {
    static const std::regex host_line(R"(iq:iq_\d\d +RUNNING +pid (\d+),)");
    std::set<std::string> pids;
    const std::string status = Control({"status"});
    for (std::sregex_iterator line(status.begin(), status.end(), host_line), end; line != end;
         ++line) {
      pids.insert((*line)[1]);
    }
    return pids;
  }

  // How many lines of supervisord's own have `text`.
  std::size_t Count(const std::string& text) const {
    std::istringstream lines(Log());
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);) {
      const bool of_host = line.starts_with("{");
      if (!of_host && line.find(text) != std::string::npos) ++count;
    }
    return count;
  }

 private:
  ProcessOptions Options(const std::string& output) const {
    ProcessOptions options;
    options.environment = environment_;
    options.stdout_file = output;
    options.stderr_file = output;
    return options;
  }

  std::string directory_;
  std::string log_;
  std::vector<std::pair<std::string, std::string>> environment_;
  std::unique_ptr<Process> process_;
  int controls_ = 0;
};

// Publishes as fast as hosts can follow, for as long as it lives: whenever they stop, they are in
// the middle of it, and something is left.
class Flood {
 public:
  explicit Flood(Bank& bank)
      : thread_([&bank](const std::stop_token& stop) {
          constexpr std::size_t kPortion = 300;
          std::mutex mutex;
          std::unique_lock lock(mutex);
          std::condition_variable_any stopped;
          while (!stop.stop_requested()) {
            bank.Publish(kPortion);
            stopped.wait_for(lock, stop, 50ms, [] { return false; });
          }
        }) {}

 private:
  std::jthread thread_;
};

class SupervisorTest : public testing::Test {
 protected:
  // No host ends for all of `duration`.
  void ExpectAllLive(std::chrono::milliseconds duration) {
    const bool ended = Eventually(duration, [&] { return supervisor_.Count("exited: iq_") != 0; });
    ASSERT_FALSE(ended) << supervisor_.Log();
  }

  // Each server is down for 20 s, two of them at a time.
  void TakeServersDownInTurn() {
    constexpr auto kHalf = 10s;
    Servers& servers = TestServers();
    servers.Kill(Server::kRedis);
    ExpectAllLive(kHalf);
    // Longer than events.sweep_after: a worker that merely waits for locks must not seem dead.
    EXPECT_EQ(supervisor_.Log().find("left unconfirmed"), std::string::npos);
    servers.Kill(Server::kPostgres);
    ExpectAllLive(kHalf);
    servers.Start(Server::kRedis);
    servers.Kill(Server::kRabbit);
    ExpectAllLive(kHalf);
    servers.Start(Server::kPostgres);
    ExpectAllLive(kHalf);
    servers.Start(Server::kRabbit);
  }

  void ExpectDrained() {
    EXPECT_TRUE(Eventually(90s, [&] { return bank_.AllJournalled(); })) << bank_.Journalled();
    EXPECT_TRUE(bank_.iq().Drained(60s));
  }

  Bank bank_{Seed()};
  Supervisor supervisor_{bank_.iq()};
};

TEST_F(SupervisorTest, TenHostsOutliveEveryServerAndStopInOrderUnderLoad) {
  ASSERT_TRUE(Eventually(60s, [&] { return supervisor_.Running().size() == kHosts; }))
      << supervisor_.Log();
  const auto pids = supervisor_.Running();
  TestServers().FlushDeclarations();
  bank_.Publish(1000);
  TakeServersDownInTurn();
  bank_.Publish(1000);
  ExpectDrained();
  EXPECT_EQ(supervisor_.Running(), pids);

  // Stopped while all of them are in the middle of it.
  {
    const std::size_t before = bank_.Journalled();
    const Flood flood(bank_);
    EXPECT_TRUE(Eventually(30s, [&] { return bank_.Journalled() > before + 1000; }));
    supervisor_.Control({"stop", "all"});
  }
  EXPECT_FALSE(bank_.AllJournalled()) << "there was no load left to be stopped under";
  EXPECT_EQ(supervisor_.Count("(exit status 0)"), kPrograms) << supervisor_.Log();
  EXPECT_EQ(supervisor_.Count("SIGKILL"), 0U) << supervisor_.Log();

  supervisor_.Control({"start", "all"});
  ExpectDrained();
  bank_.ExpectEverythingInOrder();
  supervisor_.process().Signal(SIGTERM);
  EXPECT_TRUE(supervisor_.process().Wait(60s).has_value());
  EXPECT_EQ(supervisor_.Count("(exit status 0)"), 2 * kPrograms) << supervisor_.Log();
  EXPECT_EQ(supervisor_.Count("SIGKILL"), 0U);
}

}  // namespace
}  // namespace iq::test
