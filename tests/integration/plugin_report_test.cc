// What a process reports of its plugins, and who believes it.
#include "host/plugin_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "host/suspects.h"
#include "tests/integration/plugin_folder_under_test.h"
#include "tests/support/eventually.h"

namespace iq {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto kPatience = 10s;

class PluginReportTest : public testing::Test {
 protected:
  PluginReportTest() { folder_.Put("swap_1", "swap.so"); }

  PluginDirectory& Open() {
    directory_.emplace(folder_.config(), PluginDirectory::Use::kServe);
    return *directory_;
  }

  std::string flight() const { return folder_.root() / "flight"; }
  std::vector<PluginReport> Read() const { return ReadPluginReports(flight()); }

  std::vector<std::string> Reports() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(flight())) {
      if (entry.path().extension().string().starts_with(".plugins")) {
        names.push_back(entry.path().filename());
      }
    }
    return names;
  }

  // Until the report of the only process says so.
  template <typename F>
  bool Says(PluginReporter& reporter, F condition) const {
    return test::Eventually(kPatience, [&] {
      reporter.Refresh();
      const auto reports = Read();
      return reports.size() == 1 && condition(reports[0].plugins);
    });
  }

  // A process that is killed after it has written its report.
  void Die() const {
    const pid_t child = fork();
    if (child == 0) {
      const FlightRecorder recorder(flight(), {1, 1});
      const PluginReporter reporter(recorder, *directory_, "");
      kill(getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
  }

  PluginFolderUnderTest folder_;
  std::optional<PluginDirectory> directory_;
};

TEST_F(PluginReportTest, WhatServesIsThereFromTheStart) {
  const FlightRecorder recorder(flight(), {1, 1});
  const PluginReporter reporter(recorder, Open(), "");
  const auto reports = Read();
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].pid, static_cast<std::uint32_t>(getpid()));
  ASSERT_THAT(reports[0].plugins, SizeIs(1));
  const ReportedPlugin& swap = reports[0].plugins[0];
  EXPECT_EQ(swap.file, (folder_.drop() / "swap.so").string());
  EXPECT_EQ(swap.state, kServes);
  EXPECT_EQ(swap.reason, "");
  EXPECT_EQ(swap.plugin, "swap");
  EXPECT_EQ(swap.version, "1.0.0");
  EXPECT_EQ(swap.generation, 1U);
  EXPECT_EQ(swap.sha256, directory_->plugins()[0]->sha256());
  EXPECT_THAT(swap.types, ElementsAre("test.swap"));
  EXPECT_THAT(swap.listeners, IsEmpty());
  EXPECT_EQ(swap.counts.done, 0U);
}

TEST_F(PluginReportTest, CountsFollowAndBelongToAGeneration) {
  const FlightRecorder recorder(flight(), {1, 1});
  PluginReporter reporter(recorder, Open(), "");
  PluginCounts& counts = directory_->plugins()[0]->counts();
  for (const Outcome outcome : {Outcome::kDone, Outcome::kDone, Outcome::kRejected,
                                Outcome::kFailed, Outcome::kRetry, Outcome::kInvalid}) {
    counts.Note(outcome);
  }
  EXPECT_TRUE(Says(reporter, [](const std::vector<ReportedPlugin>& plugins) {
    const OutcomeCounts& counted = plugins.at(0).counts;
    return counted.done == 2 && counted.rejected == 1 && counted.failed == 1 &&
           counted.retried == 1;
  }));
  folder_.Put("swap_2", "swap.so");
  directory_->Rescan();
  EXPECT_TRUE(Says(reporter, [](const std::vector<ReportedPlugin>& plugins) {
    return plugins.size() == 1 && plugins[0].generation == 2 && plugins[0].version == "2.0.0" &&
           plugins[0].counts.done == 0;
  }));
}

TEST_F(PluginReportTest, ARefusedFileIsOneThingAndWhatServesInItsPlaceAnother) {
  const FlightRecorder recorder(flight(), {1, 1});
  PluginReporter reporter(recorder, Open(), "");
  folder_.Put("swap_major", "swap.so");
  directory_->Rescan();
  ASSERT_TRUE(Says(reporter, [](const auto& plugins) { return plugins.size() == 2; }));
  const auto plugins = Read().at(0).plugins;
  EXPECT_EQ(plugins[0].state, kServes);
  EXPECT_EQ(plugins[0].reason, "");
  EXPECT_EQ(plugins[1].state, kRefused);
  EXPECT_THAT(plugins[1].reason, HasSubstr("ABI major"));
  EXPECT_EQ(plugins[1].generation, 0U);
  EXPECT_EQ(plugins[1].file, plugins[0].file);
  EXPECT_NE(plugins[1].sha256, plugins[0].sha256);
}

TEST_F(PluginReportTest, WhatHasNotChangedIsNotWrittenAgain) {
  const FlightRecorder recorder(flight(), {1, 1});
  PluginReporter reporter(recorder, Open(), "");
  const fs::path report = fs::path(flight()) / Reports().at(0);
  const auto written = fs::last_write_time(report);
  EXPECT_FALSE(test::Eventually(1200ms, [&] {
    reporter.Refresh();
    return fs::last_write_time(report) != written;
  }));
}

TEST_F(PluginReportTest, AnEndInOrderLeavesNothing) {
  const FlightRecorder recorder(flight(), {1, 1});
  { const PluginReporter reporter(recorder, Open(), ""); }
  EXPECT_THAT(Reports(), IsEmpty());
  EXPECT_THAT(Read(), IsEmpty());
}

TEST_F(PluginReportTest, TheDeadAreNotReadAndGoWithTheirRecorder) {
  Open();
  Die();
  ASSERT_THAT(Reports(), SizeIs(1));
  EXPECT_THAT(Read(), IsEmpty());
  const FlightRecorder recorder(flight(), {1, 1});
  const PluginReporter reporter(recorder, *directory_, "");
  EXPECT_THAT(Reports(), SizeIs(2));
  EXPECT_THAT(Read(), SizeIs(1));
  Suspects(flight(), [](const std::string&, const std::string&) {}).TakeOver();
  EXPECT_THAT(Reports(), SizeIs(1));
  EXPECT_THAT(Read(), SizeIs(1));
}

TEST_F(PluginReportTest, WhatIsNoReportIsPassedOver) {
  const FlightRecorder recorder(flight(), {1, 1});
  const PluginReporter reporter(recorder, Open(), "");
  for (const char* contents : {"", "a shopping list", "[]", R"({"pid":1,"plugins":[{}]})"}) {
    std::ofstream(fs::path(flight()) / Reports().at(0)) << contents;
    EXPECT_THAT(Read(), IsEmpty()) << contents;
  }
}

TEST_F(PluginReportTest, AFolderThatCannotBeWrittenIsOneWarning) {
  const FlightRecorder recorder(flight(), {1, 1});
  Open();
  fs::remove_all(flight());
  testing::internal::CaptureStderr();
  PluginReporter reporter(recorder, *directory_, "");
  EXPECT_FALSE(test::Eventually(1200ms, [&] {
    reporter.Refresh();
    return !Read().empty();
  }));
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("plugins.flight_recorder: " + flight()));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST_F(PluginReportTest, WithoutARecordersFileThereIsNoReport) {
  std::ofstream(flight()) << "in the way";
  const FlightRecorder recorder(flight(), {1, 1});
  PluginReporter reporter(recorder, Open(), "");
  reporter.Refresh();
  EXPECT_THAT(Read(), IsEmpty());
  EXPECT_THAT(ReadPluginReports(""), IsEmpty());
  EXPECT_THAT(ReadPluginReports(folder_.root() / "nowhere"), IsEmpty());
  EXPECT_FALSE(fs::exists(folder_.root() / "nowhere"));
}

}  // namespace
}  // namespace iq
