// The private copies of plugins: who is trusted, and what a copy is worth.
#include "host/plugin_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <thread>

#include "host/base/error.h"
#include "tests/integration/plugin_folder_under_test.h"

namespace iq {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class PluginStageTest : public testing::Test {
 protected:
  PluginStageTest() : file_(folder_.Put("swap_1", "swap.so")), stage_(folder_.live()) {}

  // Why it is refused; "" when it is not.
  std::string Refusal(const std::string& file, const std::vector<std::string>& allowed = {}) {
    try {
      (void)stage_.Stage(file, allowed);
      return "";
    } catch (const PluginRefused& refusal) {
      return refusal.what();
    }
  }

  static void Chmod(const fs::path& path, mode_t mode) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0) << path;
  }

  static std::string Read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  PluginFolderUnderTest folder_;
  std::string file_;
  PluginStage stage_;
};

TEST_F(PluginStageTest, ACopyIsTheFileUnderTheNameOfItsSumAndMadeOnce) {
  const StagedPlugin staged = stage_.Stage(file_, {});
  EXPECT_EQ(Read(staged.path), Read(file_));
  EXPECT_EQ(fs::path(staged.path).filename(), staged.sha256 + ".so");
  struct stat first {};
  ASSERT_EQ(stat(staged.path.c_str(), &first), 0);
  EXPECT_EQ(first.st_mode & 0777U, 0600U);
  (void)PluginStage(folder_.live()).Stage(file_, {});
  struct stat second {};
  ASSERT_EQ(stat(staged.path.c_str(), &second), 0);
  EXPECT_EQ(first.st_ino, second.st_ino) << "processes that map it would not share its pages";
}

TEST_F(PluginStageTest, ACopyThatAPowerFailureHasCutIsMadeAgain) {
  const StagedPlugin staged = stage_.Stage(file_, {});
  fs::resize_file(staged.path, 100);
  EXPECT_EQ(stage_.Stage(file_, {}).path, staged.path);
  EXPECT_EQ(Read(staged.path), Read(file_));
}

TEST_F(PluginStageTest, WhatOthersMayWriteIsNotTrusted) {
  Chmod(file_, 0702);
  EXPECT_THAT(Refusal(file_), AllOf(HasSubstr("not trusted"), HasSubstr("chmod go-w " + file_)));
  Chmod(file_, 0700);
  EXPECT_EQ(Refusal(file_), "");
  for (const fs::path& directory : {folder_.drop(), folder_.root()}) {
    Chmod(directory, 0702);
    EXPECT_THAT(Refusal(file_),
                AllOf(HasSubstr("not trusted"), HasSubstr("chmod go-w " + directory.string())));
    Chmod(directory, 0700);
  }
  EXPECT_EQ(Refusal(file_), "");
}

TEST_F(PluginStageTest, AStickyDirectoryWillDoAboveTheFolderButNotAsTheFolder) {
  Chmod(folder_.root(), 01777);
  EXPECT_EQ(Refusal(file_), "");
  Chmod(folder_.drop(), 01777);
  EXPECT_THAT(Refusal(file_), HasSubstr("chmod go-w"));
}

TEST_F(PluginStageTest, ALinkIsFollowedAndItsTargetsDirectoriesCount) {
  const fs::path elsewhere = folder_.root() / "elsewhere";
  fs::create_directory(elsewhere);
  fs::rename(file_, elsewhere / "swap.so");
  fs::create_symlink("../elsewhere/swap.so", file_);
  Chmod(elsewhere, 0700);
  EXPECT_EQ(Refusal(file_), "");
  Chmod(elsewhere, 0707);
  EXPECT_THAT(Refusal(file_), HasSubstr(elsewhere.string() + " may be written by others"));
}

TEST_F(PluginStageTest, ALinkToItselfOrToNothingIsRefused) {
  fs::create_symlink("loop.so", folder_.drop() / "loop.so");
  EXPECT_THAT(Refusal(folder_.drop() / "loop.so"), HasSubstr("cannot be read"));
  fs::create_symlink("nothing", folder_.drop() / "dangling.so");
  EXPECT_THAT(Refusal(folder_.drop() / "dangling.so"), HasSubstr("No such file"));
}

TEST_F(PluginStageTest, AStrangersFileOrGroupIsNotTrusted) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  constexpr uid_t kStranger = 12345;
  ASSERT_EQ(chown(file_.c_str(), kStranger, 0), 0);
  EXPECT_THAT(Refusal(file_), HasSubstr("belongs to user 12345"));
  ASSERT_EQ(chown(file_.c_str(), 0, 0), 0);
  Chmod(file_, 0770);
  EXPECT_EQ(Refusal(file_), "") << "root's own group has no other member";
  ASSERT_EQ(chown(file_.c_str(), 0, kStranger), 0);
  EXPECT_THAT(Refusal(file_), HasSubstr("chmod go-w"));
}

TEST_F(PluginStageTest, WhatIsNoWholeLibraryIsRefusedAndLeavesNoCopy) {
  const std::string fifo = folder_.drop() / "fifo.so";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(Refusal(fifo), HasSubstr("not a regular file"));
  const std::string large = folder_.drop() / "large.so";
  std::ofstream(large).close();
  fs::resize_file(large, std::uintmax_t{257} * 1024 * 1024);
  EXPECT_THAT(Refusal(large), HasSubstr("larger than"));
  fs::resize_file(file_, fs::file_size(file_) / 2);
  EXPECT_THAT(Refusal(file_), HasSubstr("truncated"));
  EXPECT_TRUE(fs::is_empty(folder_.live()));
}

TEST_F(PluginStageTest, WhereSumsAreGivenOnlyTheyMayBeLoaded) {
  const StagedPlugin staged = stage_.Stage(file_, {});
  EXPECT_EQ(Refusal(file_, {std::string(64, '0'), staged.sha256}), "");
  EXPECT_THAT(Refusal(file_, {std::string(64, '0')}),
              AllOf(HasSubstr("plugins.allow"), HasSubstr(staged.sha256)));
}

// By rename and in place, between every look at the file and every other.
TEST_F(PluginStageTest, AFileThatIsSwappedMeanwhileIsTheOneThatIsAllowedOrNone) {
  constexpr int kSwaps = 10'000;
  const std::string allowed = stage_.Stage(file_, {}).sha256;
  const std::string good = Read(file_);
  const std::string bad = Read(folder_.Put("swap_2", "other.so"));
  std::atomic<bool> done{false};
  std::thread swapper([&] {
    const std::string beside = file_ + ".beside";
    for (int i = 0; i < kSwaps; ++i) {
      const bool in_place = i % 4 >= 2;
      std::ofstream(in_place ? file_ : beside, std::ios::binary) << (i % 2 == 0 ? bad : good);
      if (!in_place) fs::rename(beside, file_);
    }
    done = true;
  });
  int staged = 0;
  int refused = 0;
  while (!done) {
    try {
      const StagedPlugin copy = stage_.Stage(file_, {allowed});
      EXPECT_EQ(copy.sha256, allowed);
      EXPECT_EQ(Read(copy.path), good);
      ++staged;
    } catch (const PluginRefused&) {
      ++refused;
    }
  }
  swapper.join();
  EXPECT_GT(staged, 0);
  EXPECT_GT(refused, 0);
}

TEST_F(PluginStageTest, ADirectoryThatOthersMayEnterIsNoPlaceForCopies) {
  Chmod(folder_.live(), 0750);
  try {
    const PluginStage stage(folder_.live());
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("plugins.live"), HasSubstr("chmod 700")));
  }
  (void)PluginStage::Borrowed(folder_.live()).Stage(file_, {});
  EXPECT_TRUE(fs::is_empty(folder_.live())) << "who only looks takes another place";
}

TEST_F(PluginStageTest, ATemporaryPlaceGoesWithItsObject) {
  std::string copy;
  {
    const PluginStage temporary = PluginStage::Temporary();
    copy = temporary.Stage(file_, {}).path;
    EXPECT_TRUE(fs::exists(copy));
  }
  EXPECT_FALSE(fs::exists(fs::path(copy).parent_path()));
}

TEST_F(PluginStageTest, CleaningKeepsWhatIsInUseAndTheLastFewOthers) {
  const StagedPlugin used = stage_.Stage(file_, {});
  stage_.NotePassed(used, "here");
  std::vector<StagedPlugin> others;
  for (int i = 0; i < 20; ++i) {
    std::ofstream(file_, std::ios::app) << i;
    others.push_back(stage_.Stage(file_, {}));
    stage_.NotePassed(others.back(), "here");
    fs::last_write_time(others.back().path,
                        fs::file_time_type::clock::now() - std::chrono::hours(20 - i));
  }
  fs::last_write_time(used.path, fs::file_time_type::clock::now() - std::chrono::hours(1000));
  stage_.Clean({used.path});
  EXPECT_TRUE(fs::exists(used.path));
  EXPECT_TRUE(stage_.HasPassed(used, "here"));
  EXPECT_FALSE(stage_.HasPassed(used, "there"));
  for (std::size_t i = 0; i < others.size(); ++i) {
    EXPECT_EQ(fs::exists(others[i].path), i >= 4) << i;
    EXPECT_EQ(stage_.HasPassed(others[i], "here"), i >= 4) << i;
  }
}

}  // namespace
}  // namespace iq
