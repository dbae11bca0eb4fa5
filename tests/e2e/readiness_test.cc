// What is wrong with a host that gets no work done, as /readyz, the metrics and `iq doctor` say it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/e2e/admin_client.h"
#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/support/eventually.h"
#include "tests/support/shared_servers.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr auto kPatience = 60s;
constexpr int kOk = 200;
constexpr int kUnavailable = 503;

InstallationOptions Answering() {
  InstallationOptions options;
  options.admin = "listen: '127.0.0.1:0'";
  return options;
}

class ReadinessTest : public testing::Test {
 protected:
  void SetUp() override {
    iq_.OpenAccount(1, 0);
    iq_.StartHosts();
    port_ = AdminPorts(iq_).at(0);
    EXPECT_TRUE(Eventually(kPatience, [&] { return IsReady(); })) << Ask(port_, "/readyz").text;
    ASSERT_EQ(iq_.Cli({"doctor"}).status, 0) << iq_.Cli({"doctor"}).out;
  }
  void TearDown() override {
    iq_.hosts().front()->Signal(SIGCONT);
    TestServers().Rabbitmqctl({"set_vm_memory_high_watermark", "0.4"});
    iq_.StopHosts();
  }

  bool IsReady() const { return Ask(port_, "/readyz").status == kOk; }

  // Not ready for this reason, and alive: a restart would not help.
  void ExpectNotReady(const std::string& reason) const {
    EXPECT_TRUE(Eventually(kPatience, [&] {
      const AdminAnswer answer = Ask(port_, "/readyz");
      return answer.status == kUnavailable && answer.text.find(reason) != std::string::npos;
    })) << Ask(port_, "/readyz").text;
    EXPECT_EQ(Ask(port_, "/livez").status, kOk);
    EXPECT_EQ(Scraped(Ask(port_, "/metrics").text).Sum("iq_ready"), 0);
  }

  void ExpectReadyAgain() {
    EXPECT_TRUE(Eventually(kPatience, [&] { return IsReady(); })) << Ask(port_, "/readyz").text;
    iq_.SendWithId(NewId(), Body("income", 1));
    EXPECT_EQ(iq_.NextEvents(1).size(), 1U) << iq_.Log();
  }

  Installation iq_{Answering()};
  int port_ = 0;
};

TEST_F(ReadinessTest, ADatabaseThatIsDown) {
  TestServers().Stop(Server::kPostgres);
  ExpectNotReady("postgresql at 127.0.0.1");
  EXPECT_EQ(Scraped(Ask(port_, "/metrics").text).Sum("iq_server_away", {"postgresql"}), 1);
  const CliResult doctor = iq_.Cli({"doctor"});
  EXPECT_EQ(doctor.status, 1);
  EXPECT_THAT(doctor.out, HasSubstr("start the server, or correct its URL"));
  TestServers().Start(Server::kPostgres);
  ExpectReadyAgain();
}

// The broker tells those who publish.
TEST_F(ReadinessTest, ABrokerWithoutMemory) {
  Process& host = *iq_.hosts().front();
  host.Signal(SIGSTOP);
  iq_.SendWithId(NewId(), Body("income", 1));
  TestServers().Rabbitmqctl({"set_vm_memory_high_watermark", "0.00001"});
  ASSERT_TRUE(Eventually(kPatience, [] {
    return TestServers().Rabbitmqctl({"eval", "rabbit_alarm:get_alarms()."}).find("memory") !=
           std::string::npos;
  }));
  host.Signal(SIGCONT);
  ExpectNotReady("takes no messages");
  EXPECT_EQ(Scraped(Ask(port_, "/metrics").text).Sum("iq_workers_blocked"), 1);
  const CliResult doctor = iq_.Cli({"doctor"});
  EXPECT_EQ(doctor.status, 1);
  EXPECT_THAT(doctor.out, HasSubstr("a memory or disk alarm"));
  EXPECT_THAT(doctor.out, HasSubstr("rabbitmq-diagnostics alarms"));
  TestServers().Rabbitmqctl({"set_vm_memory_high_watermark", "0.4"});
  EXPECT_TRUE(Eventually(kPatience, [&] { return IsReady(); })) << Ask(port_, "/readyz").text;
  EXPECT_EQ(iq_.NextEvents(1).size(), 1U);
}

TEST_F(ReadinessTest, AQueueThatAnotherHasDeletedAndMadeAnew) {
  Process& host = *iq_.hosts().front();
  host.Signal(SIGSTOP);  // It would declare the queue itself.
  AmqpClient stranger(TestServers().broker_url());
  stranger.DeleteQueue("billing");
  stranger.DeclareDurableQueue("billing");
  host.Signal(SIGCONT);
  ExpectNotReady("stands already with other arguments");
  EXPECT_EQ(Scraped(Ask(port_, "/metrics").text).Sum("iq_workers_consuming"), 0);
  const CliResult doctor = iq_.Cli({"doctor"});
  EXPECT_EQ(doctor.status, 1);
  EXPECT_THAT(doctor.out, HasSubstr("rabbitmqctl delete_queue billing"));
  stranger.DeleteQueue("billing");
  ExpectReadyAgain();
}

}  // namespace
}  // namespace iq::test
