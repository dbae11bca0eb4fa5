// What `make run` shows, where no server is installed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/process.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

namespace fs = std::filesystem;

// The first of PATH's directories that has `tool`.
fs::path Which(const std::string& tool) {
  std::istringstream path("/usr/local/bin:/usr/bin:/bin");
  for (std::string directory; std::getline(path, directory, ':');) {
    if (fs::exists(fs::path(directory) / tool)) return fs::path(directory) / tool;
  }
  return {};
}

// A folder like a clone after `make build`, with a PATH that has a few tools and no server.
class DemoTest : public testing::Test {
 protected:
  DemoTest() {
    std::string pattern = "/tmp/iq-demo-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    for (const char* name : {"tests", "sql", "config.yaml", "docker"}) {
      fs::create_symlink(fs::path(IQ_SOURCE_DIR) / name, directory_ / name);
    }
    fs::create_directories(directory_ / "build");
    fs::create_symlink(IQ_BINARY_DIR, directory_ / "build/release");
    fs::create_directory(directory_ / "bin");
    for (const char* tool : {"bash", "cat", "dirname", "env", "grep", "mkdir", "setpriv", "setsid",
                             "sleep", "sqlite3"}) {
      const fs::path found = Which(tool);
      EXPECT_FALSE(found.empty()) << tool << " is not installed";
      fs::create_symlink(found, directory_ / "bin" / tool);
    }
  }
  ~DemoTest() override { fs::remove_all(directory_); }

  ProcessOptions Options(const std::string& output) const {
    ProcessOptions options;
    options.directory = directory_.string();
    options.environment = {{"PATH", (directory_ / "bin").string()}};
    // A reader who has servers of his own sees the embedded default all the same.
    options.environment.emplace_back("IQ_STORE_URL", "postgresql://nobody@127.0.0.1:1/none");
    options.stdout_file = (directory_ / output).string();
    options.stderr_file = options.stdout_file;
    return options;
  }

  fs::path directory_;
};

TEST_F(DemoTest, ShowsTheMainJobAndStaysUpUntilCtrlC) {
  const std::string output = (directory_ / "demo.txt").string();
  Process demo({"tests/demo.sh"}, Options("demo.txt"));
  ASSERT_TRUE(Eventually(60s, [&] {
    return ReadFile(output).find("Ctrl-C here ends everything") != std::string::npos;
  })) << ReadFile(output);
  EXPECT_THAT(ReadFile(output),
              AllOf(ContainsRegex("before:\nuser 2 has [0-9.]+\nuser 3 has [0-9.]+\n"),
                    ContainsRegex("done  income .*\n  event balance.income "),
                    ContainsRegex("done  transfer .*\n  event balance.transfer "),
                    HasSubstr("  event balance.withdraw "), HasSubstr("  event balance.lock "),
                    ContainsRegex("rejected  withdraw .*unknown_user"),
                    ContainsRegex("after:\nuser 2 has [0-9.]+\nuser 3 has [0-9.]+\n")));
  EXPECT_TRUE(demo.running());

  ProcessOptions second = Options("second.txt");
  second.without_environment = {"IQ_BROKER_URL", "IQ_STORE_URL", "IQ_LOCKS_URL"};
  second.environment.pop_back();
  Process send({"build/release/iq", "send", "--wait", "income", "userId=2", "sum=1"}, second);
  EXPECT_EQ(send.Wait(30s), ExitStatus{.code = 0})
      << ReadFile((directory_ / "second.txt").string());

  demo.Signal(SIGINT);
  EXPECT_EQ(demo.Wait(30s), ExitStatus{.code = 0}) << ReadFile(output);
  EXPECT_THAT(ReadFile((directory_ / "var/iq.log").string()), HasSubstr("\"stopped\""));
}

}  // namespace
}  // namespace iq::test
