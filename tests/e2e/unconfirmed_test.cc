// Events that were committed and could not be confirmed reach their subscribers all the same.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/e2e/installation.h"
#include "tests/e2e/load.h"
#include "tests/support/eventually.h"
#include "tests/support/shared_servers.h"
#include "tests/support/tcp_proxy.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using Action = TcpProxy::Action;

// basic.publish (AMQP 0-9-1: class 60, method 40, a reserved zero) to the exchange of events.
constexpr std::string_view kEventPublish =
    "\x00\x3C\x00\x28\x00\x00\x0E"
    "billing.events"sv;
constexpr auto kPatience = 60s;

std::size_t CountOf(const std::string& what, const std::string& text) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST(UnconfirmedTest, EventsOfAHostThatWasKilledAfterItsCommitArePublishedByAnother) {
  TcpProxy broker("127.0.0.1", PortOf(TestServers().broker_url()));
  InstallationOptions options;
  options.broker_url = broker.Through(TestServers().broker_url());
  Installation iq(options);
  iq.StartHosts();
  broker.OnClientBytes([](std::string_view chunk) {
    return chunk.find(kEventPublish) == std::string_view::npos ? Action::kForward
                                                               : Action::kCutBefore;
  });
  Load load(iq);
  load.Publish(40);
  ASSERT_TRUE(load.Reaches(40, kPatience)) << iq.Log();
  iq.hosts().front()->Kill9();
  iq.hosts().clear();
  broker.OnClientBytes(nullptr);
  ASSERT_TRUE(Eventually(kPatience, [&] { return iq.broker().Consumers("billing") == 0; }));
  AmqpClient(TestServers().broker_url()).Purge("billing");
  EXPECT_EQ(iq.EventsWaiting(), 0U) << "an event got through: the test proves nothing";

  iq.StartHosts(2);
  load.ExpectEachOnce(kPatience);
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return iq.store().Value("SELECT count(*) FROM iq.worker") == "0";
  })) << "the dead worker's row stays";
  iq.StopHosts();
}

// A broker that takes no messages, but gives them out.
class FullBrokerTest : public testing::Test {
 protected:
  void SetUp() override { iq_.StartHosts(); }
  void TearDown() override {
    MakeRoom();
    iq_.StopHosts();
  }

  static void Fill() {
    TestServers().Rabbitmqctl({"set_vm_memory_high_watermark", "0.00001"});
    ASSERT_TRUE(Eventually(kPatience, [] {
      const std::string alarms = TestServers().Rabbitmqctl({"eval", "rabbit_alarm:get_alarms()."});
      return alarms.find("memory") != std::string::npos;
    }));
  }
  static void MakeRoom() { TestServers().Rabbitmqctl({"set_vm_memory_high_watermark", "0.4"}); }

  // The host gets commands and commits them, and cannot publish their events.
  void RunWhileFull(Load& load) {
    Process& host = *iq_.hosts().front();
    host.Signal(SIGSTOP);
    load.Publish(60);
    Fill();
    host.Signal(SIGCONT);
    EXPECT_TRUE(load.Reaches(60, kPatience)) << iq_.Log();
    EXPECT_TRUE(iq_.Drained(kPatience)) << "committed commands are not acked\n" << iq_.Log();
    EXPECT_EQ(iq_.EventsWaiting(), 0U) << "the broker was never full: the test proves nothing";
    EXPECT_EQ(CountOf("publishing has been blocked", iq_.Log()), 1U);
  }

  Installation iq_;
};

TEST_F(FullBrokerTest, IsDrainedAndTheEventsFollow) {
  Load load(iq_);
  RunWhileFull(load);
  MakeRoom();
  load.ExpectEachOnce(kPatience);
}

TEST_F(FullBrokerTest, IsDrainedAndTheEventsOfAHostThatIsLostMeanwhileFollow) {
  Load load(iq_);
  RunWhileFull(load);
  iq_.hosts().front()->Kill9();
  iq_.hosts().clear();
  MakeRoom();
  iq_.StartHosts();
  load.ExpectEachOnce(kPatience);
}

}  // namespace
}  // namespace iq::test
