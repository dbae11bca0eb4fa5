// Locks in a file: what two holders may see, in one process and in several, and what is left of one
// that is killed.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "host/base/error.h"
#include "host/locks/locks.h"
#include "tests/support/eventually.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

bool Take(Locks& locks, LockKeys keys) {
  const std::vector<LockKeys> sets{std::move(keys)};
  return locks.TryAcquire(sets).at(0);
}

std::string UnavailableFrom(Locks& locks) {
  try {
    Take(locks, {"a"});
  } catch (const Unavailable& e) {
    return e.what();
  }
  return "nothing was thrown";
}

// A forked process that carries out `work` and ends.
class Child {
 public:
  template <typename Work>
  explicit Child(Work work) : pid_(fork()) {
    if (pid_ != 0) return;
    work();
    _exit(0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { Kill9(); }

  void Kill9() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  // How it ended by itself.
  int Join() {
    int status = -1;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  pid_t pid_;
};

// Zeroes that forked processes share.
template <typename T>
class Shared {
 public:
  Shared()
      : value_(
            mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (value_ == MAP_FAILED) std::abort();
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { munmap(value_, sizeof(T)); }
  T* operator->() { return static_cast<T*>(value_); }
  T& operator*() { return *operator->(); }

 private:
  void* value_;
};

class LocalLocks : public ::testing::Test {
 protected:
  LocalLocks() {
    std::string name = (fs::temp_directory_path() / "iq-locks-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~LocalLocks() override { fs::remove_all(folder_); }

  fs::path File() const { return folder_ / "var" / "locks"; }
  std::unique_ptr<LockService> Service() const {
    return OpenLocks("local:" + File().string(), 30s);
  }
  std::unique_ptr<Locks> Open() const { return Service()->Open(); }

  fs::path folder_;
};

TEST_F(LocalLocks, AKeyIsHeldByOneAtATime) {
  const auto one = Open();
  const auto two = Open();
  EXPECT_TRUE(Take(*one, {"a"}));
  EXPECT_FALSE(Take(*two, {"a"}));
  EXPECT_TRUE(Take(*two, {"b"}));
  one->Release();
  EXPECT_TRUE(Take(*two, {"a"}));
  EXPECT_FALSE(Take(*one, {"a"}));
}

TEST_F(LocalLocks, ASetIsTakenWholeOrNotAtAll) {
  const auto one = Open();
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"b"}));
  EXPECT_FALSE(Take(*two, {"a", "b", "c"}));
  EXPECT_TRUE(Take(*one, {"a", "c"}));
}

TEST_F(LocalLocks, ASetThatIsNotTakenKeepsWhatWasHeldBefore) {
  const auto one = Open();
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"b"}));
  ASSERT_TRUE(Take(*two, {"a"}));
  EXPECT_FALSE(Take(*two, {"a", "b"}));
  EXPECT_FALSE(Take(*one, {"a"}));
}

TEST_F(LocalLocks, OneCallTakesTheSetsThatAreFreeAndLeavesTheOthers) {
  const auto one = Open();
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"b"}));
  const std::vector<LockKeys> sets{{"a"}, {"b", "c"}, {"c", "d"}, {}};
  EXPECT_THAT(two->TryAcquire(sets), ElementsAre(true, false, true, true));
  EXPECT_FALSE(Take(*one, {"c"}));
}

TEST_F(LocalLocks, SetsOfOneHolderMayShareKeys) {
  const auto one = Open();
  const auto two = Open();
  const std::vector<LockKeys> sets{{"a", "b"}, {"b", "c"}, {"a"}};
  EXPECT_THAT(one->TryAcquire(sets), Each(true));
  EXPECT_TRUE(Take(*one, {"c", "d"}));
  for (const char* key : {"a", "b", "c", "d"}) EXPECT_FALSE(Take(*two, {key})) << key;
  one->Release();
  EXPECT_TRUE(Take(*two, {"a", "b", "c", "d"}));
}

TEST_F(LocalLocks, NothingAskedTouchesNoFile) {
  const auto locks = Open();
  EXPECT_TRUE(locks->TryAcquire({}).empty());
  EXPECT_TRUE(locks->Renew());
  EXPECT_NO_THROW(locks->Release());
  EXPECT_FALSE(fs::exists(File()));
}

TEST_F(LocalLocks, TheyLastAsLongAsTheirHolder) {
  auto one = Open();
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"a"}));
  EXPECT_EQ(two->expires_at(), Locks::Clock::time_point::max());
  EXPECT_LT(one->expires_at(), Locks::Clock::now()) << "before a commit they are looked at";
  EXPECT_TRUE(one->Renew());
  EXPECT_FALSE(Take(*two, {"a"}));
  one.reset();
  EXPECT_TRUE(Take(*two, {"a"}));
}

TEST_F(LocalLocks, AFileThatIsRemovedEndsThemAndTheNextOneIsTakenUp) {
  const auto one = Open();
  ASSERT_TRUE(Take(*one, {"a"}));
  fs::remove(File());
  const auto two = Open();
  EXPECT_TRUE(Take(*two, {"a"})) << "in another file";
  EXPECT_FALSE(one->Renew());
  EXPECT_THAT(UnavailableFrom(*one), AllOf(HasSubstr(File().string()), HasSubstr("removed")));
  EXPECT_TRUE(one->Renew()) << "nothing is held";
  ASSERT_TRUE(test::Eventually(10s, [&] { return one->UntilNextAttempt() == 0ms; }));
  EXPECT_FALSE(Take(*one, {"a"}));
  EXPECT_TRUE(Take(*one, {"b"}));
  EXPECT_TRUE(one->Renew());
}

TEST_F(LocalLocks, NobodyElseMayReadTheFile) {
  ASSERT_TRUE(Take(*Open(), {"a"}));
  EXPECT_EQ(fs::status(File()).permissions() & fs::perms::others_all, fs::perms::none);
}

TEST_F(LocalLocks, KeysMayHoldAnyBytes) {
  using std::string_literals::operator""s;
  const auto one = Open();
  const auto two = Open();
  const LockKeys keys{""s, "\0"s, "\0a"s, "a b\r\n"s, "\xFF\xFE"s, std::string(100'000, 'x')};
  ASSERT_TRUE(Take(*one, keys));
  for (const auto& key : keys) EXPECT_FALSE(Take(*two, {key}));
  EXPECT_TRUE(Take(*two, {"\0b"s}));
}

TEST_F(LocalLocks, OtherFilesAreOtherLocks) {
  const auto one = Open();
  const auto two = OpenLocks("local:" + (folder_ / "other").string(), 30s)->Open();
  EXPECT_TRUE(Take(*one, {"a"}));
  EXPECT_TRUE(Take(*two, {"a"}));
}

TEST_F(LocalLocks, WithoutAPathTheyAreInVar) {
  EXPECT_EQ(OpenLocks("local:", 30s)->name(), "local lock file var/iq.locks");
  EXPECT_EQ(Service()->name(), "local lock file " + File().string());
}

TEST_F(LocalLocks, AnotherProcessIsExcludedAndItsDeathFreesAtOnce) {
  Shared<std::atomic<bool>> taken;
  Child child([&] {
    const auto locks = Open();
    *taken = Take(*locks, {"a", "b"});
    while (true) pause();
  });
  ASSERT_TRUE(test::Eventually(10s, [&] { return taken->load(); }));
  const auto locks = Open();
  EXPECT_FALSE(Take(*locks, {"a"}));
  EXPECT_FALSE(Take(*locks, {"b"}));
  EXPECT_TRUE(Take(*locks, {"c"}));
  child.Kill9();
  EXPECT_TRUE(Take(*locks, {"a", "b"}));
}

// What the inherited file would keep: a child of a holder is not a holder, once it is released.
TEST_F(LocalLocks, ReleaseFreesWhatAChildProcessInherited) {
  const auto one = Open();
  const auto two = Open();
  ASSERT_TRUE(Take(*one, {"a"}));
  Child child([] {
    while (true) pause();
  });
  one->Release();
  EXPECT_TRUE(Take(*two, {"a"}));
}

TEST_F(LocalLocks, AFileThatCannotBeMadeIsUnavailableUntilItCan) {
  std::ofstream(folder_ / "var") << "in the way";
  const auto locks = Open();
  testing::internal::CaptureStderr();
  EXPECT_THAT(UnavailableFrom(*locks), AllOf(HasSubstr(File().string()), HasSubstr("let the")));
  EXPECT_GT(locks->UntilNextAttempt(), 0ms);
  EXPECT_THAT(UnavailableFrom(*locks), HasSubstr(File().string()));
  ASSERT_TRUE(test::Eventually(10s, [&] { return locks->UntilNextAttempt() == 0ms; }));
  EXPECT_THAT(UnavailableFrom(*locks), HasSubstr(File().string()));
  EXPECT_NO_THROW(locks->Release());
  fs::remove(folder_ / "var");
  ASSERT_TRUE(test::Eventually(10s, [&] { return locks->UntilNextAttempt() == 0ms; }));
  EXPECT_TRUE(Take(*locks, {"a"}));
  const std::string log = testing::internal::GetCapturedStderr();
  const std::string line = "local lock file " + File().string() + " is unavailable";
  const auto first = log.find(line);
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find(line, first + 1), std::string::npos) << "logged twice: " << log;
}

constexpr int kHolders = 8;
constexpr int kRounds = 1000;
constexpr std::size_t kKeys = 5;

struct Tally {
  std::array<std::atomic<int>, kKeys> inside;
  std::atomic<int> meetings;
  std::atomic<int> entries;
};

// Each round takes a pair of five keys; a key's counter tells whether anybody else is inside.
void EnterAndLeave(Locks& locks, unsigned seed, Tally& tally) {
  std::minstd_rand random(seed);
  for (int done = 0; done < kRounds;) {
    const std::size_t first = random() % (kKeys - 1);
    const std::size_t second = first + 1 + random() % (kKeys - 1 - first);
    if (!Take(locks, {fmt::format("k{}", first), fmt::format("k{}", second)})) {
      std::this_thread::yield();
      continue;
    }
    for (const auto key : {first, second}) tally.meetings += tally.inside.at(key).fetch_add(1);
    std::this_thread::yield();
    for (const auto key : {first, second}) tally.inside.at(key).fetch_sub(1);
    locks.Release();
    ++done;
    ++tally.entries;
  }
}

TEST_F(LocalLocks, EightThreadsNeverMeetInsideAKey) {
  Tally tally{};
  {
    std::vector<std::jthread> threads;
    threads.reserve(kHolders);
    for (unsigned i = 0; i < kHolders; ++i) {
      threads.emplace_back([&, i] { EnterAndLeave(*Open(), i + 1, tally); });
    }
  }
  EXPECT_EQ(tally.entries, kHolders * kRounds);
  EXPECT_EQ(tally.meetings, 0);
}

TEST_F(LocalLocks, EightProcessesNeverMeetInsideAKey) {
  Shared<Tally> tally;
  std::vector<std::unique_ptr<Child>> children;
  for (unsigned i = 0; i < kHolders; ++i) {
    children.push_back(std::make_unique<Child>([&, i] { EnterAndLeave(*Open(), i + 1, *tally); }));
  }
  for (const auto& child : children) EXPECT_EQ(child->Join(), 0);
  EXPECT_EQ(tally->entries, kHolders * kRounds);
  EXPECT_EQ(tally->meetings, 0);
}

}  // namespace
}  // namespace iq
