// A server that is down, as a stopping host and `iq doctor` see it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/load.h"
#include "tests/support/eventually.h"
#include "tests/support/shared_servers.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr auto kPatience = 60s;
constexpr int kFailed = 1;

void ExpectExit(Process& host, std::chrono::seconds within, const Installation& iq) {
  const auto status = host.Wait(within);
  ASSERT_TRUE(status.has_value()) << "still running after " << within.count() << " s\n" << iq.Log();
  EXPECT_EQ(status->code, 0);
}

// The rows of doctor's JSON that say so, but for the schema, which nobody has migrated.
std::vector<json> FailedChecks(const std::string& out) {
  std::vector<json> rows;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    json row = json::parse(line);
    if (row.at("status") == "fail" && row.at("check") != "schema") rows.push_back(std::move(row));
  }
  return rows;
}

TEST(ServerDownTest, AHostStopsSoonWhileTheDatabaseIsDown) {
  Servers& servers = TestServers();
  Installation iq;
  iq.StartHosts();
  Load load(iq);
  load.Publish(5);
  load.ExpectEachOnce(kPatience);
  servers.Stop(Server::kPostgres);
  iq.SendWithId(NewId(), Body("income", 1));
  ASSERT_TRUE(Eventually(kPatience, [&] { return iq.Log().find("paused") != std::string::npos; }));
  // One that runs, and one that has not got so far.
  Process& starting = iq.LaunchHost();
  starting.Signal(SIGTERM);
  iq.hosts().front()->Signal(SIGTERM);
  ExpectExit(*iq.hosts().front(), 5s, iq);
  EXPECT_TRUE(starting.Wait(5s).has_value());
  EXPECT_TRUE(Eventually(kPatience, [&] { return iq.broker().Depth("billing") == 1; }));
  servers.Start(Server::kPostgres);
}

TEST(ServerDownTest, DoctorNamesIt) {
  const std::vector<std::pair<std::string, InstallationOptions>> downs = [] {
    InstallationOptions store;
    store.store_url = "postgresql://iq:iq@127.0.0.1:1/iq";
    InstallationOptions broker;
    broker.broker_url = "amqp://guest:guest@127.0.0.1:1/%2F";
    InstallationOptions locks;
    locks.locks_url = "redis://:iq@127.0.0.1:1/0";
    return std::vector<std::pair<std::string, InstallationOptions>>{
        {"store", store}, {"broker", broker}, {"locks", locks}};
  }();
  for (auto [name, options] : downs) {
    options.migrate = false;
    Installation iq(options);
    const CliResult result = iq.Cli({"doctor", "--json"});
    EXPECT_EQ(result.status, kFailed) << name;
    const std::vector<json> rows = FailedChecks(result.out);
    ASSERT_EQ(rows.size(), 1U) << result.out;
    EXPECT_EQ(rows[0].at("check"), name);
    EXPECT_THAT(rows[0].at("detail"), HasSubstr("127.0.0.1:1"));
    EXPECT_NE(rows[0].at("mend"), "");
    EXPECT_THAT(result.out, Not(HasSubstr(":iq@")));
  }
}

}  // namespace
}  // namespace iq::test
