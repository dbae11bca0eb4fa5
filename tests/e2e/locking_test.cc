// Ten processes, a few keys: two commands of one key never run at the same time.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kHosts = 10;
constexpr std::size_t kCommands = 400;
constexpr std::int64_t kKeys = 6;

// A line of overlap.log.
struct Note {
  std::string what;
  int pid = 0;
  std::int64_t at_ns = 0;
  std::string key;
  std::string id;
};

std::map<std::string, std::vector<Note>> NotesByKey(const std::string& file) {
  std::map<std::string, std::vector<Note>> notes;
  std::ifstream lines(file);
  for (Note note; lines >> note.what >> note.pid >> note.at_ns >> note.key >> note.id;) {
    notes[note.key].push_back(note);
  }
  for (auto& [key, list] : notes) {
    std::sort(list.begin(), list.end(),
              [](const Note& a, const Note& b) { return a.at_ns < b.at_ns; });
  }
  return notes;
}

// Fails where one enters before the one before has left, unless that one was killed.
void ExpectNoOverlap(const std::vector<Note>& notes, const std::set<int>& killed) {
  const Note* inside = nullptr;
  for (const Note& note : notes) {
    if (note.what == "enter") {
      if (inside != nullptr && !killed.contains(inside->pid)) {
        ADD_FAILURE() << note.id << " of " << note.pid << " entered " << note.key << " while "
                      << inside->id << " of " << inside->pid << " was in it";
      }
      inside = &note;
    } else {
      ASSERT_TRUE(inside != nullptr && inside->pid == note.pid && inside->id == note.id)
          << note.pid << " left " << note.key << " although another was in it";
      inside = nullptr;
    }
  }
}

class LockingTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/iq-overlap-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    InstallationOptions options;
    options.plugins = folder_ + "/plugins";
    std::filesystem::create_directory(options.plugins);
    std::filesystem::create_symlink(IQ_BINARY_DIR "/test_plugins/overlap.so",
                                    options.plugins + "/overlap.so");
    options.plugin_settings = fmt::format("{{overlap: {{directory: {}}}}}", folder_);
    options.locks = "lease: 3s, wait: 20s";
    options.consumer = "batch: 4, prefetch: 8, ";
    options.retry = "attempts: 50, delays: [100ms, 300ms]";
    iq_ = std::make_unique<Installation>(options);
    iq_->StartHosts(kHosts);
  }
  void TearDown() override {
    iq_->StopHosts();
    iq_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Publish() {
    std::minstd_rand random(7);
    std::vector<AmqpPublishing> publishings;
    publishings.reserve(kCommands);
    for (std::size_t i = 0; i < kCommands; ++i) {
      const auto user = static_cast<std::int64_t>(random() % kKeys) + 1;
      const std::string details = fmt::format(R"({{"ms":{}}})", 2 + random() % 4);
      publishings.push_back({"billing", "", Body("test.overlap", user, "1", details), {}});
      publishings.back().properties.message_id = NewId();
    }
    iq_->broker().Publish(publishings);
  }

  std::size_t Done() {
    return std::stoul(iq_->store().Value("SELECT count(*) FROM iq.journal WHERE outcome = 'done'"));
  }

  // All are done, by several processes, and never two of a key at a time.
  void ExpectDoneWithoutOverlap(const std::set<int>& killed) {
    ASSERT_TRUE(Eventually(90s, [&] { return Done() == kCommands; })) << Done() << "\n"
                                                                      << iq_->Log();
    EXPECT_TRUE(iq_->Drained(30s));
    EXPECT_EQ(iq_->DeadCount(), 0U);
    std::set<int> pids;
    std::set<std::string> ids;
    const auto notes = NotesByKey(folder_ + "/overlap.log");
    EXPECT_EQ(notes.size(), static_cast<std::size_t>(kKeys));
    for (const auto& [key, list] : notes) {
      ExpectNoOverlap(list, killed);
      for (const Note& note : list) {
        pids.insert(note.pid);
        ids.insert(note.id);
      }
    }
    EXPECT_EQ(ids.size(), kCommands);
    EXPECT_GT(pids.size(), kHosts / 2) << "too few processes took part to prove anything";
  }

  std::unique_ptr<Installation> iq_;

 private:
  std::string folder_;
};

TEST_F(LockingTest, CommandsOfOneKeyNeverOverlap) {
  Publish();
  ExpectDoneWithoutOverlap({});
}

TEST_F(LockingTest, CommandsOfOneKeyNeverOverlapWhenHostsAreKilled) {
  Publish();
  constexpr int kVictims = 3;
  ASSERT_TRUE(Eventually(60s, [&] { return Done() >= kCommands / 8; })) << iq_->Log();
  // At once: a command that is in the hands of two processes, one after the other, as they die
  // passes for the one that kills them.
  std::set<int> killed;
  auto& hosts = iq_->hosts();
  for (auto victim = hosts.end() - kVictims; victim != hosts.end(); ++victim) {
    killed.insert((*victim)->pid());
    (*victim)->Signal(SIGKILL);
  }
  for (int i = 0; i < kVictims; ++i) {
    hosts.back()->Kill9();
    hosts.pop_back();
  }
  ExpectDoneWithoutOverlap(killed);
}

}  // namespace
}  // namespace iq::test
