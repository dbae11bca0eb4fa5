// The generations of plugins: what joins, what replaces what, what goes, and what stays.
#include "host/plugin_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/plugin_folder_under_test.h"
#include "tests/support/eventually.h"

namespace iq {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kType = "test.swap";

class PluginDirectoryTest : public testing::Test {
 protected:
  PluginDirectory& Open() {
    directory_.emplace(folder_.config(), PluginDirectory::Use::kServe);
    return *directory_;
  }

  void Put(const std::string& built, const std::string& name = "swap.so") {
    folder_.Put(built, name);
    directory_->Rescan();
  }

  void Remove(const std::string& name = "swap.so") {
    fs::remove(folder_.drop() / name);
    directory_->Rescan();
  }

  // Of the plugin that serves the type; "" when none does.
  std::string Version(const std::string& type = kType) {
    const auto routes = directory_->routes();
    const auto route = routes->types.find(type);
    return route == routes->types.end() ? "" : route->second.plugin->version();
  }

  std::shared_ptr<const Plugin> Serving() { return directory_->routes()->types.at(kType).plugin; }

  std::string Tally() {
    std::ifstream file(folder_.root() / "tally");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  void Fail(int commands) {
    const auto plugin = Serving();
    for (int i = 0; i < commands; ++i) {
      plugin->trial().Note(std::to_string(i),
                           Verdict::Of(Outcome::kFailed, "handler_error", "on purpose"));
    }
    directory_->Tend();
  }

  void Do() {
    Serving()->trial().Note("done", Verdict::Of(Outcome::kDone, "", ""));
    directory_->Tend();
  }

  // Another process, which has not seen what this one has.
  void Restart() {
    directory_.reset();
    Open();
  }

  PluginFolderUnderTest folder_;
  std::optional<PluginDirectory> directory_;
};

TEST_F(PluginDirectoryTest, AFileJoinsIsReplacedAndGoes) {
  Open();
  EXPECT_EQ(Version(), "");
  Put("swap_1");
  EXPECT_EQ(Version(), "1.0.0");
  Put("swap_2");
  EXPECT_EQ(Version(), "2.0.0");
  EXPECT_EQ(Serving()->generation(), 2U);
  EXPECT_THAT(directory_->routes()->gone, IsEmpty());
  Remove();
  EXPECT_EQ(Version(), "");
  EXPECT_THAT(directory_->routes()->gone, ElementsAre(kType));
  Put("swap_1");
  EXPECT_EQ(Version(), "1.0.0");
  EXPECT_THAT(directory_->routes()->gone, IsEmpty());
}

TEST_F(PluginDirectoryTest, WhoHoldsARouteKeepsItsGeneration) {
  Open();
  Put("swap_1");
  const auto before = directory_->routes();
  Put("swap_2");
  EXPECT_EQ(before->types.at(kType).plugin->version(), "1.0.0");
}

TEST_F(PluginDirectoryTest, TheSameContentsAgainAreNothingNew) {
  Open();
  Put("swap_1");
  const auto before = Serving();
  Put("swap_1");
  EXPECT_EQ(Serving(), before);
}

TEST_F(PluginDirectoryTest, AVersionThatComesBackIsAnotherGenerationWithAnImageOfItsOwn) {
  Open();
  Put("swap_1");
  const auto first = Serving();
  Put("swap_2");
  Put("swap_1");
  EXPECT_EQ(Serving()->generation(), 3U);
  EXPECT_EQ(Version(), "1.0.0");
  EXPECT_NE(Serving()->commands()[0].handle, first->commands()[0].handle)
      << "the loader gave the library that was there";
}

TEST_F(PluginDirectoryTest, OfTwoFilesWithOneTypeTheSecondWaitsUntilTheFirstIsGone) {
  Open();
  Put("swap_1", "b.so");
  Put("swap_2", "a.so");
  EXPECT_EQ(Version(), "1.0.0");
  EXPECT_THAT(directory_->refused(), ElementsAre(HasSubstr("is already served by")));
  Remove("b.so");
  EXPECT_EQ(Version(), "2.0.0");
  EXPECT_THAT(directory_->refused(), IsEmpty());
}

TEST_F(PluginDirectoryTest, AReplacementThatWantsAnotherFilesTypeLeavesTheOldOneServing) {
  Open();
  Put("swap_1");
  Put("swap_other", "other.so");
  Put("swap_2", "other.so");
  EXPECT_EQ(Version(), "1.0.0");
  EXPECT_EQ(Version("test.other"), "1.0.0");
  EXPECT_THAT(directory_->refused(), ElementsAre(HasSubstr("is already served by")));
}

TEST_F(PluginDirectoryTest, AFileThatIsMovedServesOn) {
  Open();
  Put("swap_1", "a.so");
  fs::rename(folder_.drop() / "a.so", folder_.drop() / "b.so");
  directory_->Rescan();
  EXPECT_EQ(Version(), "1.0.0");
  EXPECT_THAT(Serving()->file(), HasSubstr("/b.so"));
}

TEST_F(PluginDirectoryTest, WhatCannotServeLeavesTheOldOneServing) {
  Open();
  Put("swap_1");
  Put("swap_major");
  EXPECT_EQ(Version(), "1.0.0");
  EXPECT_THAT(directory_->refused(), ElementsAre(HasSubstr("ABI major")));
  Put("swap_2");
  EXPECT_EQ(Version(), "2.0.0");
  EXPECT_THAT(directory_->refused(), IsEmpty());
}

// Its constructor would end this process.
TEST_F(PluginDirectoryTest, WhatItsNoteRulesOutIsNotRun) {
  Open();
  Put("swap_1");
  Put("swap_note");
  EXPECT_EQ(Version(), "1.0.0");
  EXPECT_THAT(directory_->refused(), ElementsAre(HasSubstr("it speaks ABI major 2")));
  Put("no_entry");
  EXPECT_THAT(directory_->refused(), ElementsAre(HasSubstr("it does not export iq_plugin_v1")));
}

TEST_F(PluginDirectoryTest, ABrokenFileIsGivenTimeToBecomeWhole) {
  Open();
  Put("swap_1");
  const fs::path file = folder_.drop() / "swap.so";
  fs::remove(file);
  std::ofstream(file) << "the first half";
  directory_->Rescan();
  EXPECT_TRUE(directory_->unsettled());
  EXPECT_THAT(directory_->refused(), IsEmpty());
  EXPECT_TRUE(test::Eventually(10s, [&] {
    directory_->Rescan();
    return !directory_->refused().empty();
  }));
  EXPECT_FALSE(directory_->unsettled());
  EXPECT_EQ(Version(), "1.0.0");
}

TEST_F(PluginDirectoryTest, AnUnreadableFolderTakesNothingAway) {
  Open();
  Put("swap_1");
  fs::rename(folder_.drop(), folder_.root() / "away");
  directory_->Rescan();
  EXPECT_EQ(Version(), "1.0.0");
}

TEST_F(PluginDirectoryTest, ANewVersionThatFailsItsFirstCommandsIsRolledBack) {
  Open();
  Put("swap_1");
  Put("swap_2");
  Fail(2);
  EXPECT_EQ(Version(), "2.0.0");
  Fail(3);
  EXPECT_EQ(Version(), "1.0.0");
  EXPECT_THAT(directory_->refused(), ElementsAre(HasSubstr("failed its first commands")));
  Put("swap_2");
  EXPECT_EQ(Version(), "1.0.0") << "the same contents are not tried again";
  Put("swap_tally");
  EXPECT_EQ(Version(), "1.0.0") << "without its setting it cannot start";
  Put("swap_throw");
  EXPECT_EQ(Version(), "5.0.0");
}

TEST_F(PluginDirectoryTest, WhatFailedIsNotTriedAgainAfterARestart) {
  Open();
  Put("swap_1");
  Do();
  Put("swap_2");
  Fail(3);
  Restart();
  EXPECT_EQ(Version(), "1.0.0");
  EXPECT_THAT(directory_->refused(), ElementsAre(HasSubstr("its first commands failed before")));
  Remove();
  Put("swap_2");
  EXPECT_EQ(Version(), "2.0.0");
}

TEST_F(PluginDirectoryTest, WhatServedBeforeARestartTakesOverAgainFromWhatCameWithIt) {
  Open();
  Put("swap_1");
  Do();
  directory_.reset();
  folder_.Put("swap_2", "swap.so");
  Open();
  EXPECT_EQ(Version(), "2.0.0");
  Fail(3);
  EXPECT_EQ(Version(), "1.0.0");
}

TEST_F(PluginDirectoryTest, WhatIsNotAllowedAnyMoreDoesNotComeBackAfterARestart) {
  Open();
  Put("swap_1");
  Do();
  Put("swap_2");
  folder_.config().allow = {Serving()->sha256()};
  Restart();
  Fail(3);
  EXPECT_EQ(Version(), "2.0.0");
}

TEST_F(PluginDirectoryTest, AVersionInWhichTwoProcessesDiedBeforeItDidAnythingIsRolledBack) {
  Open();
  Put("swap_1");
  Do();
  Put("swap_2");
  for (const char* const death : {"a", "a", "b"}) {
    directory_->Tend();
    EXPECT_EQ(Version(), "2.0.0");
    directory_->NoteDeath("swap/2.0.0", death);
  }
  directory_->Tend();
  EXPECT_EQ(Version(), "1.0.0");
}

TEST_F(PluginDirectoryTest, WithNothingInItsPlaceWhatFailedHasToDo) {
  Open();
  Put("swap_1");
  Put("swap_2");
  Fail(3);
  EXPECT_EQ(Version(), "1.0.0");
  Restart();
  EXPECT_EQ(Version(), "2.0.0") << "the first one had not done anything to be remembered for";
}

TEST_F(PluginDirectoryTest, DeathsBeforeItDidItsWorkAreForgottenWhenAVersionHasDoneIt) {
  Open();
  Put("swap_1");
  for (const char* const death : {"a", "b"}) directory_->NoteDeath("swap/1.0.0", death);
  Do();
  Put("swap_2");
  Do();
  Put("swap_1");
  directory_->Tend();
  EXPECT_EQ(Version(), "1.0.0") << "somebody has put it there again for a reason";
}

// They were the commands' fault.
TEST_F(PluginDirectoryTest, DeathsInAVersionThatHasDoneItsWorkCostItNothing) {
  Open();
  Put("swap_1");
  Do();
  Put("swap_2");
  Do();
  for (const char* const death : {"a", "b", "c"}) directory_->NoteDeath("swap/2.0.0", death);
  Restart();
  EXPECT_EQ(Version(), "2.0.0");
  directory_->Tend();
  EXPECT_EQ(Version(), "2.0.0");
}

TEST_F(PluginDirectoryTest, AFileThatBecameAnotherPluginHasThatOnesTypesAfterARestart) {
  Open();
  Put("swap_1");
  Do();
  Put("swap_other");
  Restart();
  EXPECT_EQ(Version(), "");
  EXPECT_EQ(Version("test.other"), "1.0.0");
}

TEST_F(PluginDirectoryTest, AFirstVersionHasNothingToGoBackTo) {
  Open();
  Put("swap_1");
  Fail(10);
  EXPECT_EQ(Version(), "1.0.0");
}

TEST_F(PluginDirectoryTest, AVersionThatHasDoneACommandStays) {
  Open();
  Put("swap_1");
  Put("swap_2");
  Serving()->trial().Note("done", Verdict{});
  Fail(10);
  EXPECT_EQ(Version(), "2.0.0");
}

TEST_F(PluginDirectoryTest, WhatNobodyUsesAnyMoreIsShutDownOnce) {
  folder_.config().settings["swap"]["tally"] = folder_.root() / "tally";
  Open();
  Put("swap_tally");
  EXPECT_EQ(Tally(), "init\n");
  auto seat = Serving();
  Put("swap_1");
  directory_->Tend();
  EXPECT_EQ(Tally(), "init\n") << "it may have to take over again";
  Serving()->trial().Note("done", Verdict{});
  directory_->Tend();
  EXPECT_EQ(Tally(), "init\n") << "somebody still uses it";
  seat.reset();
  directory_->Tend();
  EXPECT_EQ(Tally(), "init\nshutdown\n");
  directory_->Tend();
  directory_.reset();
  EXPECT_EQ(Tally(), "init\nshutdown\n");
}

TEST_F(PluginDirectoryTest, WhatWaitsIsNotInitialised) {
  folder_.config().settings["swap"]["tally"] = folder_.root() / "tally";
  Open();
  Put("swap_1", "a.so");
  Put("swap_tally", "b.so");
  EXPECT_EQ(Tally(), "");
  Remove("a.so");
  EXPECT_EQ(Tally(), "init\n");
}

TEST_F(PluginDirectoryTest, AVersionThatWouldShareStaticObjectsWithTheOldOneIsRefused) {
  Open();
  Put("swap_unique_1");
  EXPECT_EQ(Version(), "1.0.0") << "there is nothing yet that it could share";
  Put("swap_unique_2");
  EXPECT_EQ(Version(), "1.0.0");
  EXPECT_THAT(directory_->refused(), ElementsAre(HasSubstr("-fno-gnu-unique")));
  Remove();
  Put("swap_unique_1");
  EXPECT_EQ(Version(), "1.0.0") << "it shares with nothing but itself";
}

}  // namespace
}  // namespace iq
