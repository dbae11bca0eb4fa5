// Commands per second of `iq run`: a queue full of income commands, drained by one process, then by
// two, on private servers and embedded.
//
// The clock runs from the first delivery to the last ack. Events and confirms are on, every commit
// is durable (PostgreSQL's synchronous_commit, SQLite's synchronous = FULL), the configuration is
// the shipped one. Afterwards the database and the event queue are checked: a run that lost or
// repeated something fails.
#include <fmt/format.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/e2e/profile.h"
#include "tests/support/eventually.h"
#include "tests/support/process.h"

namespace iq::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using test::ProfileName;

constexpr const char* kProgram = IQ_BINARY_DIR "/iq";
constexpr const char* kConfig = IQ_SOURCE_DIR "/config.yaml";
constexpr std::size_t kPublishAtATime = 5000;

struct Load {
  std::int64_t commands = 50'000;
  std::int64_t users = 10'000;
  std::vector<std::size_t> processes = {1, 2};
  int runs = 3;
};

void Require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

// One run, on tables and queues of its own.
class Bench {
 public:
  Bench(const Load& load, ProfileName profile)
      : load_(load),
        directory_(MakeDirectory()),
        profile_(test::OpenProfile(profile, directory_)),
        broker_(profile_->OpenBroker()),
        store_(profile_->OpenStore()) {}
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench() { std::filesystem::remove_all(directory_); }

  // Commands per second.
  double Run(std::size_t processes) {
    Migrate();
    Fill();
    const auto began = Clock::now();
    const auto hosts = StartHosts(processes);
    auto first_delivery = began;
    const bool delivered = test::Eventually(60s, [&] {
      first_delivery = Clock::now();
      return broker_->Depth("billing") < static_cast<std::size_t>(load_.commands);
    });
    Require(delivered, "nothing was delivered");
    Require(test::Eventually(600s, [&] { return Journalled() >= load_.commands; }),
            "the queue does not drain");
    StopHosts(hosts);  // Each exits once everything it holds is confirmed and acked.
    const std::chrono::duration<double> took = Clock::now() - first_delivery;
    Check();
    return static_cast<double>(load_.commands) / took.count();
  }

 private:
  static std::string MakeDirectory() {
    std::string pattern = "/var/tmp/iq-bench-XXXXXX";
    return mkdtemp(pattern.data());
  }

  test::ProcessOptions Options() const {
    const test::Profile::Urls urls = profile_->urls();
    test::ProcessOptions options;
    options.directory = directory_;
    options.environment = {{"IQ_BROKER_URL", urls.broker},
                           {"IQ_STORE_URL", urls.store},
                           {"IQ_LOCKS_URL", urls.locks},
                           {"IQ_PLUGINS", IQ_BINARY_DIR "/plugins"},
                           {"IQ_SQL_DIR", IQ_SOURCE_DIR "/sql"}};
    options.stderr_file = directory_ + "/iq.log";
    options.stdout_file = "/dev/null";
    return options;
  }

  std::vector<std::unique_ptr<test::Process>> StartHosts(std::size_t count) const {
    std::vector<std::unique_ptr<test::Process>> hosts;
    for (std::size_t i = 0; i < count; ++i) {
      hosts.push_back(std::make_unique<test::Process>(
          std::vector<std::string>{kProgram, "run", "--config", kConfig}, Options()));
    }
    return hosts;
  }

  static void StopHosts(const std::vector<std::unique_ptr<test::Process>>& hosts) {
    for (const auto& host : hosts) host->Signal(SIGTERM);
    for (const auto& host : hosts) {
      const auto status = host->Wait(30s);
      Require(status && status->code == 0, "a host did not stop");
    }
  }

  void Migrate() {
    profile_->Clear();
    test::Process migrate({kProgram, "migrate", "--config", kConfig}, Options());
    const auto status = migrate.Wait(60s);
    Require(status && status->code == 0, "iq migrate failed");
    // The host declares its queues: one short life before the load.
    const auto host = StartHosts(1);
    Require(test::Eventually(20s, [&] { return broker_->Consumers("billing") == 1; }),
            "the host does not consume");
    StopHosts(host);
    event_queue_ = broker_->DeclareTemporaryQueue();
    broker_->BindToEvents(event_queue_);
  }

  std::int64_t Journalled() { return std::stoll(store_->Value("SELECT count(*) FROM iq.journal")); }

  void Fill() {
    store_->Rows(
        "WITH RECURSIVE users(id) AS (SELECT CAST(1 AS bigint) UNION ALL "
        "SELECT id + 1 FROM users WHERE id < CAST($1 AS bigint)) "
        "INSERT INTO balance (user_id, sum) SELECT id, 0 FROM users",
        {std::to_string(load_.users)});
    store_->Rows("ANALYZE");
    for (std::int64_t sent = 0; sent < load_.commands;) {
      std::vector<test::AmqpPublishing> some;
      for (; some.size() < kPublishAtATime && sent < load_.commands; ++sent) {
        test::AmqpPublishing& command = some.emplace_back();
        command.exchange = "billing";
        // A stride that shares no factor with the number of users spreads them evenly.
        command.body = fmt::format(R"({{"type":"income","userId":{},"sum":1,"details":{{}}}})",
                                   sent * 7919 % load_.users + 1);
        command.properties.message_id = fmt::format("bench-{}", sent);
      }
      broker_->Publish(some);
    }
  }

  void Check() {
    const std::string commands = std::to_string(load_.commands);
    Require(store_->Value("SELECT count(*) FROM iq.journal WHERE outcome = 'done'") == commands,
            "a command is missing in the journal");
    Require(store_->Value("SELECT sum(sum) / 1000 FROM balance").starts_with(commands),
            "the balances are wrong");
    Require(store_->Value("SELECT count(*) FROM transaction_log") == commands, "the log is wrong");
    Require(broker_->Depth(event_queue_) == static_cast<std::size_t>(load_.commands),
            "the events are not one for each command");
    Require(broker_->Depth("billing") == 0 && broker_->Depth("billing.dead") == 0,
            "commands were left over or died");
  }

  const Load& load_;
  std::string directory_;
  std::unique_ptr<test::Profile> profile_;
  std::unique_ptr<test::TestBroker> broker_;
  std::unique_ptr<test::TestStore> store_;
  std::string event_queue_;
};

struct Row {
  std::string profile;
  std::size_t processes;
  std::vector<double> rates{};
};

void Print(Row row) {
  std::sort(row.rates.begin(), row.rates.end());
  const std::size_t count = row.rates.size();
  const double median = (row.rates[(count - 1) / 2] + row.rates[count / 2]) / 2;
  fmt::print("{:8} {} process{}: {:6.0f} commands/s (min {:.0f}, max {:.0f}, {} runs)\n",
             row.profile, row.processes, row.processes == 1 ? "  " : "es", median,
             row.rates.front(), row.rates.back(), count);
}

int Main(int argc, char** argv) {
  const std::map<std::string, ProfileName> names = {{"servers", ProfileName::kServers},
                                                    {"embedded", ProfileName::kEmbedded}};
  CLI::App app{"Commands per second of iq"};
  Load load;
  std::vector<std::string> profiles = {"servers", "embedded"};
  app.add_option("--commands", load.commands)->capture_default_str();
  app.add_option("--users", load.users)->capture_default_str();
  app.add_option("--processes", load.processes)->capture_default_str();
  app.add_option("--profiles", profiles)->check(CLI::IsMember(names))->capture_default_str();
  app.add_option("--runs", load.runs, "of each, in alternation")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  fmt::print("{} income commands over {} users\n", load.commands, load.users);
  std::vector<Row> rows;
  for (const std::string& profile : profiles) {
    for (const std::size_t processes : load.processes) rows.push_back({profile, processes});
  }
  for (int run = 1; run <= load.runs; ++run) {
    for (Row& row : rows) {
      row.rates.push_back(Bench(load, names.at(row.profile)).Run(row.processes));
      fmt::print("run {}: {} {} process(es) {:.0f}/s\n", run, row.profile, row.processes,
                 row.rates.back());
      std::fflush(stdout);
    }
  }
  for (const Row& row : rows) Print(row);
  return 0;
}

}  // namespace
}  // namespace iq::bench

int main(int argc, char** argv) {
  try {
    return iq::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    return 1;
  }
}
