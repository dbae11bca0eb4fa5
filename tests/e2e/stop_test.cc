// SIGTERM: under load, and while a handler hangs.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/load.h"
#include "tests/e2e/plugin_folder.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = 60s;

void ExpectExit(Process& host, std::chrono::seconds within, const Installation& iq) {
  const auto status = host.Wait(within);
  ASSERT_TRUE(status.has_value()) << "still running after " << within.count() << " s\n" << iq.Log();
  EXPECT_EQ(status->code, 0);
}

class StopTest : public testing::Test {
 protected:
  // A host with a handler that takes its time.
  Installation& Install(const std::string& limits,
                        const std::string& locks = "lease: 30s, wait: 5s") {
    InstallationOptions options;
    options.plugins = plugins_.path();
    options.limits = limits;
    options.locks = locks;
    options.consumer = "batch: 16, prefetch: 64, ";
    iq_ = std::make_unique<Installation>(options);
    return *iq_;
  }

  bool HandlerRuns() {
    return Eventually(kPatience,
                      [this] { return iq_->Log().find("test.slow runs") != std::string::npos; });
  }

 private:
  PluginFolder plugins_{"misbehave.so"};
  std::unique_ptr<Installation> iq_;
};

TEST_F(StopTest, UnderLoadNothingIsLostOrRepeated) {
  constexpr std::size_t kCommands = 600;
  Installation& iq = Install("deadline: 10s, shutdown: 20s");
  iq.StartHosts(2);
  LoadOptions slow;
  slow.type = "test.slow";
  slow.details = R"({"ms":5})";
  slow.each = 1;
  slow.users = 40;
  Load load(iq, slow);
  load.Publish(kCommands);
  for (const std::size_t stop_at : {50U, 200U, 350U}) {
    ASSERT_TRUE(load.Reaches(stop_at, kPatience)) << iq.Log();
    const auto began = Clock::now();
    iq.StopHosts();
    EXPECT_LT(Clock::now() - began, 20s);
    const std::size_t done = load.Journalled();
    EXPECT_LT(done, kCommands) << "all was done: the test proves nothing";
    load.ExpectEffectsOf(done);
    EXPECT_TRUE(Eventually(kPatience, [&] {
      return iq.broker().Depth("billing") == kCommands - done;
    })) << iq.broker().Depth("billing");
    EXPECT_EQ(load.SeeEvents(done, kPatience), done);
    EXPECT_EQ(load.SeeWaitingEvents(), done) << "an event was published twice";
    EXPECT_EQ(iq.broker().Depth("billing"), kCommands - done) << "what is done has come back";
    EXPECT_EQ(iq.store().Value("SELECT count(*) FROM iq.worker"), "0")
        << "a worker has not signed off";
    iq.StartHosts(2);
  }
  load.ExpectEachOnce(kPatience);
  iq.StopHosts();
}

TEST_F(StopTest, ASecondSignalEndsItAtOnceAndTheCommandComesAgain) {
  Installation& iq = Install("deadline: 55s, shutdown: 50s", "lease: 1m, wait: 2m");
  iq.OpenAccount(1, 0);
  iq.StartHosts();
  iq.SendWithId(NewId(), Body("test.slow", 1, "1", R"({"ms":50000})"));
  ASSERT_TRUE(HandlerRuns());
  Process& host = *iq.hosts().front();
  host.Signal(SIGTERM);
  ASSERT_TRUE(
      Eventually(kPatience, [&] { return iq.Log().find("stopping") != std::string::npos; }));
  EXPECT_TRUE(host.running());
  host.Signal(SIGTERM);
  ExpectExit(host, 5s, iq);
  EXPECT_TRUE(Eventually(kPatience, [&] { return iq.broker().Depth("billing") == 1; }));
  EXPECT_EQ(iq.Balance(1), 0);
}

TEST_F(StopTest, AHandlerThatTakesTooLongIsLeftBehind) {
  Installation& iq = Install("deadline: 55s, shutdown: 1s", "lease: 1m, wait: 2m");
  iq.OpenAccount(1, 0);
  iq.StartHosts();
  iq.SendWithId(NewId(), Body("test.slow", 1, "1", R"({"ms":50000})"));
  ASSERT_TRUE(HandlerRuns());
  Process& host = *iq.hosts().front();
  host.Signal(SIGTERM);
  ExpectExit(host, 10s, iq);
  EXPECT_TRUE(Eventually(kPatience, [&] { return iq.broker().Depth("billing") == 1; }));
  EXPECT_EQ(iq.Balance(1), 0);
}

}  // namespace
}  // namespace iq::test
