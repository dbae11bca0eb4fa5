// The embedded profile's file where it cannot be written: the host says so, loses nothing, and goes
// on by itself once it can.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "tests/e2e/installation.h"
#include "tests/e2e/load.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr auto kPatience = 60s;
constexpr std::size_t kCommands = 20;
// What ends the line of an outage that begins, and what the line of one that ends has.
constexpr const char* kBegun = "; reconnecting";
constexpr const char* kEnded = " is back after ";
// Of a host to the file: its worker's and its sweeper's, to consume, to publish and to the tables.
constexpr std::size_t kConnections = 6;

// A host that may write no file at all has a full disk, as far as it can see. Its log goes through
// a process that may, and the signal that comes with the limit is ignored.
const std::vector<std::string> kLimitable{
    "bash", "-c", R"(trap "" XFSZ; exec 3> >(cat); exec "$@" >&3 2>&3)", "bash"};
const std::vector<std::string> kLimited{
    "bash", "-c", R"(trap "" XFSZ; exec 3> >(cat); ulimit -S -f 0; exec "$@" >&3 2>&3)", "bash"};

void Limit(const Process& host, rlim_t bytes) {
  const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
  ASSERT_EQ(prlimit(host.pid(), RLIMIT_FSIZE, &limit, nullptr), 0);
}

// Root may write whatever the permissions say, unless it gives that up.
std::vector<std::string> BoundByPermissions() {
  if (geteuid() != 0) return {};
  return {"setpriv", "--bounding-set=-dac_override,-dac_read_search"};
}

class DiskTest : public testing::Test {
 protected:
  static InstallationOptions Embedded() {
    InstallationOptions options;
    options.profile = ProfileName::kEmbedded;
    return options;
  }

  // The first line of the log with `text`, which the host is given time to write.
  std::string LineWith(const std::string& text) const {
    std::string line;
    EXPECT_TRUE(Eventually(kPatience,
                           [&] {
                             const std::string log = iq_.Log();
                             const auto at = log.find(text);
                             if (at == std::string::npos) return false;
                             const auto begin = log.rfind('\n', at) + 1;
                             line = log.substr(begin, log.find('\n', at) - begin);
                             return true;
                           }))
        << "no line with " << text << "\n"
        << iq_.Log();
    return line;
  }

  std::size_t CountOf(const std::string& text) const {
    const std::string log = iq_.Log();
    std::size_t count = 0;
    for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
    return count;
  }

  void ExpectOutagesEnd() const {
    EXPECT_TRUE(Eventually(kPatience, [this] { return CountOf(kBegun) == CountOf(kEnded); }))
        << iq_.Log();
  }

  void SetWritable(bool writable) const {
    using std::filesystem::perms;
    const auto read = perms::owner_read | perms::group_read;
    const auto change = [&](const std::filesystem::path& path, perms all) {
      std::filesystem::permissions(path, writable ? all | perms::owner_write : all);
    };
    const std::filesystem::path directory = iq_.directory() + "/var";
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      if (entry.is_regular_file()) change(entry.path(), read);
    }
    change(directory, read | perms::owner_exec | perms::group_exec);
  }

  Installation iq_{Embedded()};
};

TEST_F(DiskTest, AHostOutlivesAFullDisk) {
  Process& host = iq_.LaunchHost(kLimitable);
  iq_.StartHosts(0);
  Load load(iq_);
  load.Publish(kCommands);
  ASSERT_TRUE(load.Reaches(kCommands, kPatience)) << iq_.Log();

  Limit(host, 0);
  load.Publish(kCommands);
  const std::string line = LineWith(kBegun);
  EXPECT_THAT(line, HasSubstr("var/iq.db"));
  EXPECT_THAT(line, HasSubstr("disk"));
  EXPECT_FALSE(Eventually(3s, [&] { return !host.running() || load.Journalled() > kCommands; }))
      << "it has ended, or the disk was never full\n"
      << iq_.Log();
  EXPECT_LE(CountOf(kBegun), kConnections) << "one line for each connection, and no more\n"
                                           << iq_.Log();
  Limit(host, RLIM_INFINITY);
  load.ExpectEachOnce(kPatience);
  ExpectOutagesEnd();
  iq_.StopHosts();
}

TEST_F(DiskTest, NothingIsLostOrRepeatedThoughTheDiskIsFullNowAndThen) {
  constexpr int kRounds = 20;
  Process& host = iq_.LaunchHost(kLimitable);
  iq_.StartHosts(0);
  Load load(iq_);
  for (int round = 0; round < kRounds; ++round) {
    const std::size_t before = load.published();
    load.Publish(kCommands);
    // At another moment of the batch in each round.
    (void)load.Reaches(before + 1, std::chrono::milliseconds(round));
    Limit(host, 0);
    (void)load.Reaches(load.published(), 200ms);
    Limit(host, RLIM_INFINITY);
  }
  EXPECT_GT(CountOf(kBegun), 0U) << "the disk was never full: the test proves nothing";
  load.ExpectEachOnce(kPatience);
  ExpectOutagesEnd();
  iq_.StopHosts();
}

TEST_F(DiskTest, AHostThatStartsOnAFullDiskWaitsForRoom) {
  Load load(iq_);
  iq_.StartHosts();
  iq_.StopHosts();
  load.Publish(kCommands);
  Process& host = iq_.LaunchHost(kLimited);
  EXPECT_THAT(LineWith(kBegun), HasSubstr("var/iq.db"));
  EXPECT_TRUE(host.running());
  EXPECT_EQ(load.Journalled(), 0U);
  Limit(host, RLIM_INFINITY);
  load.ExpectEachOnce(kPatience);
  ExpectOutagesEnd();
  iq_.StopHosts();
}

TEST_F(DiskTest, AHostWaitsUntilItMayWriteTheFile) {
  Load load(iq_);
  iq_.StartHosts();
  iq_.StopHosts();
  load.Publish(kCommands);
  SetWritable(false);
  Process& host = iq_.LaunchHost(BoundByPermissions());
  const std::string line = LineWith(kBegun);
  EXPECT_THAT(line, HasSubstr("var/iq.db"));
  EXPECT_THAT(line, HasSubstr("let the host's user write to it"));
  EXPECT_TRUE(host.running());
  SetWritable(true);
  load.ExpectEachOnce(kPatience);
  LineWith(kEnded);
  iq_.StopHosts();
}

}  // namespace
}  // namespace iq::test
