#include "tests/support/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLong{10};

// A directory that is removed at the end.
class Directory {
 public:
  Directory() {
    path_ = "/tmp/iq-support-test-XXXXXX";
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

bool Lives(pid_t pid) {
  const std::string stat = ReadFile("/proc/" + std::to_string(pid) + "/stat");
  const auto name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.substr(name_end, 3) != ") Z";
}

TEST(Process, WaitTellsTheExitCode) {
  Process process({"sh", "-c", "exit 78"});
  EXPECT_EQ(process.Wait(kLong), ExitStatus{.code = 78});
  EXPECT_EQ(process.Wait(milliseconds(0)), ExitStatus{.code = 78});
  EXPECT_FALSE(process.running());
}

TEST(Process, WaitGivesUpAtTheDeadlineAndSignalEndsTheChild) {
  Process process({"sleep", "1000"});
  EXPECT_EQ(process.Wait(milliseconds(50)), std::nullopt);
  EXPECT_TRUE(process.running());
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(kLong), ExitStatus{.signal = SIGTERM});
}

TEST(Process, OutputAndEnvironmentAreThoseAskedFor) {
  const Directory directory;
  Process process({"sh", "-c", "echo $IQ_A-${HOME:-gone}; pwd >&2"},
                  {.environment = {{"IQ_A", "x y"}},
                   .without_environment = {"HOME"},
                   .stdout_file = directory / "out",
                   .stderr_file = directory / "err",
                   .directory = "/usr"});
  ASSERT_EQ(process.Wait(kLong), ExitStatus{.code = 0});
  EXPECT_EQ(ReadFile(directory / "out"), "x y-gone\n");
  EXPECT_EQ(ReadFile(directory / "err"), "/usr\n");
}

TEST(Process, ProgramThatIsMissingThrows) {
  EXPECT_THROW(Process({"/nonexistent/program"}), std::system_error);
}

TEST(Process, DestructorKillsGrandchildrenWithAGroupOfTheirOwnToo) {
  const Directory directory;
  const std::string file = directory / "pid";
  pid_t grandchild = 0;
  {
    Process process({"bash", "-c", "set -m; sleep 1000 & echo $! >\"$0\"; wait", file});
    ASSERT_TRUE(Eventually(kLong, [&] { return ReadFile(file).find('\n') != std::string::npos; }));
    grandchild = std::stoi(ReadFile(file));
    ASSERT_TRUE(Lives(grandchild));
    ASSERT_NE(getpgid(grandchild), process.pid());
  }
  EXPECT_FALSE(Lives(grandchild));
}

TEST(Process, ChildDoesNotOutliveAParentThatIsKilled) {
  const Directory directory;
  const std::string file = directory / "pid";
  const pid_t parent = fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    const Process child({"sh", "-c", "echo $$ >\"$0\"; exec sleep 1000", file});
    pause();
  }
  ASSERT_TRUE(Eventually(kLong, [&] { return ReadFile(file).find('\n') != std::string::npos; }));
  const pid_t child = std::stoi(ReadFile(file));
  ASSERT_TRUE(Lives(child));
  ASSERT_EQ(kill(parent, SIGKILL), 0);
  EXPECT_TRUE(Eventually(kLong, [&] { return !Lives(child); }));
}

TEST(Eventually, IsFalseWhenTheConditionNeverHolds) {
  int asked = 0;
  EXPECT_FALSE(Eventually(milliseconds(30), [&] {
    ++asked;
    return false;
  }));
  EXPECT_GE(asked, 2);
}

}  // namespace
}  // namespace iq::test
