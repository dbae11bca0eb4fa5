// What the sweeper leaves alone and what it takes away.
#include <gtest/gtest.h>

#include "tests/e2e/installation.h"
#include "tests/e2e/load.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;

TEST(SweeperTest, HostsThatOnlyIdleAreNotSwept) {
  Installation iq;
  iq.StartHosts(2);
  Load load(iq);
  load.Publish(40);
  load.ExpectEachOnce(kPatience);
  // More than twice events.sweep_after goes by.
  EXPECT_FALSE(
      Eventually(12s, [&] { return iq.Log().find("had left unconfirmed") != std::string::npos; }));
  EXPECT_EQ(load.SeeWaitingEvents(), 40U);
  iq.StopHosts();
}

TEST(SweeperTest, OldJournalRowsVanishAndYoungOnesStay) {
  constexpr std::size_t kOld = 2500;
  constexpr std::size_t kYoung = 30;
  constexpr std::int64_t kHour = 3600;
  InstallationOptions options;
  options.journal = "keep: 7d";
  Installation iq(options);
  const auto rows = [&iq] {
    return std::stoul(iq.store().Value("SELECT count(*) FROM iq.journal"));
  };
  iq.StartHosts();
  Load old(iq);
  old.Publish(kOld);
  ASSERT_TRUE(old.Reaches(kOld, kPatience)) << iq.Log();
  iq.StopHosts();
  iq.store().AgeJournal(2 * kHour);

  iq.StartHosts();
  Load young(iq);
  young.Publish(kYoung);
  ASSERT_TRUE(young.Reaches(kYoung, kPatience)) << iq.Log();
  EXPECT_EQ(rows(), kOld + kYoung);
  iq.StopHosts();
  iq.store().AgeJournal(7 * 24 * kHour - kHour);

  iq.StartHosts();
  EXPECT_TRUE(Eventually(kPatience, [&] { return rows() <= kYoung; })) << rows();
  iq.StopHosts();
  EXPECT_EQ(young.Journalled(), kYoung);
  EXPECT_EQ(rows(), kYoung);
}

}  // namespace
}  // namespace iq::test
