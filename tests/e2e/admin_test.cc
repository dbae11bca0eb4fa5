// The metrics of hosts at work, against what the journal says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/e2e/admin_client.h"
#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::SizeIs;

constexpr auto kPatience = 60s;

InstallationOptions Answering() {
  InstallationOptions options;
  options.admin = "listen: '127.0.0.1:0'";
  return options;
}

class AdminTest : public testing::Test {
 protected:
  void SetUp() override { iq_.OpenAccount(1, 1000); }

  // All hosts' together.
  double Count(const std::string& name, const std::vector<std::string>& labels = {}) {
    double sum = 0;
    for (const int port : AdminPorts(iq_))
      sum += Scraped(Ask(port, "/metrics").text).Sum(name, labels);
    return sum;
  }

  double Rows(const std::string& type, const std::string& outcome) {
    return std::stod(iq_.store().Value(
        "SELECT count(*) FROM iq.journal WHERE type = $1 AND outcome = $2", {type, outcome}));
  }

  // Of every ten commands seven can be carried out; one is refused, one is a copy, one is wrong.
  void SendTen(int round) {
    std::vector<AmqpPublishing> commands;
    const auto add = [&](const std::string& id, const std::string& body) {
      AmqpPublishing publishing{"billing", "", body, {}};
      publishing.properties.message_id = id;
      commands.push_back(std::move(publishing));
    };
    for (int i = 0; i < 7; ++i) add(NewId(), Body("income", 1));
    const std::string repeated = NewId();
    add(repeated, Body("withdraw", 1, "900000"));
    add(repeated, Body("withdraw", 1, "900000"));
    add(fmt::format("wrong-{}", round), Body("income", 0));
    iq_.broker().Publish(commands);
  }

  Installation iq_{Answering()};
};

TEST_F(AdminTest, AScrapeUnderLoadMatchesTheJournal) {
  constexpr int kRounds = 60;
  const std::size_t hosts = std::min<std::size_t>(iq_.profile().hosts_max(), 3);
  iq_.StartHosts(hosts);
  ASSERT_THAT(AdminPorts(iq_), SizeIs(hosts));
  for (int round = 0; round < kRounds; ++round) {
    SendTen(round);
    // A command is counted once its transaction has ended.
    const double counted = Count("iq_commands_total", {R"(outcome="done")"});
    EXPECT_LE(counted, Rows("income", "done"));
  }
  ASSERT_TRUE(iq_.Drained(kPatience));
  EXPECT_EQ(Rows("income", "done"), 7.0 * kRounds);
  EXPECT_EQ(Count("iq_commands_total", {R"(type="income")", R"(outcome="done")"}),
            Rows("income", "done"));
  EXPECT_EQ(Count("iq_commands_total", {R"(type="withdraw")", R"(outcome="rejected")"}),
            Rows("withdraw", "rejected"));
  EXPECT_EQ(Count("iq_commands_repeated_total", {R"(type="withdraw")"}), kRounds);
  EXPECT_EQ(Count("iq_commands_total", {R"(type="income")", R"(outcome="invalid")"}), kRounds);
  EXPECT_EQ(Count("iq_dead_letters_total", {R"(code="schema")"}), kRounds);
  EXPECT_EQ(Count("iq_dead_letters_total", {R"(code="insufficient_funds")"}), 2.0 * kRounds);
  EXPECT_EQ(Count("iq_command_seconds_count"), 10.0 * kRounds);
  EXPECT_TRUE(Eventually(kPatience, [&] { return Count("iq_deliveries_in_flight") == 0; }));
  EXPECT_EQ(Count("iq_workers_consuming"), static_cast<double>(hosts));
  iq_.StopHosts();
}

TEST_F(AdminTest, CommandsWithoutAnIdAreCounted) {
  iq_.StartHosts();
  iq_.Send(Body("income", 1));
  EXPECT_TRUE(Eventually(kPatience, [&] { return Count("iq_commands_without_id_total") == 1; }));
  iq_.StopHosts();
}

TEST_F(AdminTest, TheQueuesAndTheJournalAreMeasured) {
  iq_.StartHosts();
  for (int i = 0; i < 3; ++i) iq_.SendWithId(NewId(), Body("income", 0));
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return Count("iq_queue_messages", {R"(queue="billing.dead")"}) == 3;
  })) << Ask(AdminPorts(iq_)[0], "/metrics").text;
  EXPECT_EQ(Count("iq_queue_consumers", {R"(queue="billing")"}), 1);
  EXPECT_EQ(Count("iq_plugin_generation", {R"(plugin="income")"}), 1);
  iq_.StopHosts();
}

TEST_F(AdminTest, PrometheusTakesTheTextForWhatItIs) {
  iq_.StartHosts();
  SendTen(0);
  ASSERT_TRUE(iq_.Drained(kPatience));
  const std::string scraped = iq_.directory() + "/metrics";
  std::ofstream(scraped) << Ask(AdminPorts(iq_)[0], "/metrics").text;
  ProcessOptions options;
  options.stdout_file = options.stderr_file = iq_.directory() + "/promtool.out";
  Process promtool({"sh", "-c", "promtool check metrics < " + scraped}, options);
  const auto status = promtool.Wait(kPatience);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->code, 0) << ReadFile(options.stdout_file);
  EXPECT_EQ(ReadFile(options.stdout_file), "");
  iq_.StopHosts();
}

TEST_F(AdminTest, AHostWhoseAddressIsTakenWorksWithout) {
  iq_.StartHosts();
  InstallationOptions same = Answering();
  same.admin = fmt::format("listen: '127.0.0.1:{}'", AdminPorts(iq_).at(0));
  iq_.Configure(same);
  iq_.StartHosts();
  EXPECT_THAT(iq_.Log(), HasSubstr("cannot be listened on (Address already in use)"));
  EXPECT_THAT(AdminPorts(iq_), SizeIs(1));
  iq_.StopHosts();
}

TEST_F(AdminTest, NobodyElsesPathsAreAnswered) {
  iq_.StartHosts();
  const int port = AdminPorts(iq_).at(0);
  EXPECT_EQ(Ask(port, "/livez").status, 200);
  EXPECT_TRUE(Eventually(kPatience, [&] { return Ask(port, "/readyz").status == 200; }));
  EXPECT_EQ(Ask(port, "/etc/passwd").status, 404);
  EXPECT_EQ(Ask(port, "/../metrics").status, 404);
  iq_.StopHosts();
  EXPECT_EQ(Ask(port, "/livez").status, 0);
}

}  // namespace
}  // namespace iq::test
