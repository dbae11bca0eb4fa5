#include "host/base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace iq::log {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// What `act` makes the process write to stderr.
template <typename Act>
std::string StderrOf(Act act) {
  ::testing::internal::CaptureStderr();
  act();
  return ::testing::internal::GetCapturedStderr();
}

std::string TextOf(std::string_view message, const About& about = {}) {
  Start(Level::kDebug, Format::kText);
  return StderrOf([&] { Info(message, about); });
}

nlohmann::json JsonOf(std::string_view message, const About& about = {}) {
  Start(Level::kDebug, Format::kJson);
  const std::string line = StderrOf([&] { Info(message, about); });
  EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
  return nlohmann::json::parse(line);
}

// Stands in for stderr while it lives.
class StderrIs {
 public:
  explicit StderrIs(const char* path)
      : saved_(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)), file_(open(path, O_WRONLY | O_CLOEXEC)) {
    EXPECT_GE(dup2(file_, STDERR_FILENO), 0);
  }
  explicit StderrIs(int file) : saved_(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)), file_(file) {
    EXPECT_GE(dup2(file_, STDERR_FILENO), 0);
  }
  StderrIs(const StderrIs&) = delete;
  StderrIs& operator=(const StderrIs&) = delete;
  ~StderrIs() {
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    close(file_);
  }

 private:
  int saved_;
  int file_;
};

// gtest runs tests in the order of the file: this one comes before the first Start().
TEST(Log, ShowsOnlyWarningsAndErrorsAsTextBeforeItIsStarted) {
  const std::string lines = StderrOf([] {
    Info("quiet");
    Warn("odd");
    Error("bad");
  });
  EXPECT_THAT(lines, MatchesRegex("[^\n]*Z warn  odd\n[^\n]*Z error bad\n"));
}

TEST(Log, TextLineHoldsUtcTimeLevelMessageAndCommand) {
  EXPECT_THAT(
      TextOf("began", {.id = "7", .type = "income", .plugin = "money", .trace_id = "4bf9"}),
      MatchesRegex("20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
                   "\\.[0-9][0-9][0-9]Z info  began id=7 type=income plugin=money trace=4bf9\n"));
}

TEST(Log, EmptyFieldsAreLeftOut) {
  EXPECT_THAT(TextOf("began", {.type = "income"}), EndsWith("Z info  began type=income\n"));
  const auto record = JsonOf("began", {.type = "income"});
  EXPECT_EQ(record.at("type"), "income");
  EXPECT_FALSE(record.contains("id"));
  EXPECT_FALSE(record.contains("plugin"));
  EXPECT_FALSE(record.contains("trace_id"));
}

TEST(Log, RecordsBelowTheLevelAreLeftOut) {
  Start(Level::kWarn, Format::kText);
  EXPECT_EQ(StderrOf([] {
              Debug("a");
              Info("b");
            }),
            "");
  Start(Level::kDebug, Format::kText);
  EXPECT_THAT(StderrOf([] { Debug("a"); }), EndsWith("Z debug a\n"));
}

TEST(Log, TextEscapesWhatWouldEndTheLineOrSteerATerminal) {
  using std::string_view_literals::operator""sv;
  EXPECT_THAT(TextOf("a\nb\r\x1b[2J\tc\0d\x7f"sv),
              EndsWith(" a\\nb\\x0d\\x1b[2J\\x09c\\x00d\\x7f\n"));
  EXPECT_THAT(TextOf("csi\xC2\x9B"), EndsWith(" csi\\xc2\\x9b\n"));
}

TEST(Log, TextKeepsWellFormedUtf8AndEscapesTheRest) {
  EXPECT_THAT(TextOf("grün €𝄞 ~"), EndsWith(" grün €𝄞 ~\n"));
  EXPECT_THAT(
      TextOf("\xC0\xAF|\xED\xA0\x80|\xF5|\xE2\x82|\x80|\xF0\x80\x80\x80"),
      EndsWith(" \\xc0\\xaf|\\xed\\xa0\\x80|\\xf5|\\xe2\\x82|\\x80|\\xf0\\x80\\x80\\x80\n"));
  EXPECT_THAT(TextOf("\xE2\x82"), EndsWith(" \\xe2\\x82\n"));
}

TEST(Log, AFieldCannotPassForAnother) {
  EXPECT_THAT(TextOf("m", {.id = "1 type=income", .type = "say\"\n"}),
              EndsWith(" m id=\"1 type=income\" type=\"say\\\"\\n\"\n"));
}

TEST(Log, JsonLineHoldsEveryField) {
  const auto record =
      JsonOf("began", {.id = "7", .type = "income", .plugin = "money", .trace_id = "4bf9"});
  EXPECT_THAT(record.at("time").get<std::string>(), MatchesRegex("20..-..-..T..:..:..\\....Z"));
  EXPECT_EQ(record.at("level"), "info");
  EXPECT_EQ(record.at("pid"), getpid());
  EXPECT_EQ(record.at("message"), "began");
  EXPECT_EQ(record.at("id"), "7");
  EXPECT_EQ(record.at("type"), "income");
  EXPECT_EQ(record.at("plugin"), "money");
  EXPECT_EQ(record.at("trace_id"), "4bf9");
}

TEST(Log, JsonEscapesQuotesAndControlsAndReplacesInvalidUtf8) {
  EXPECT_EQ(JsonOf("a\"b\\c\nd\x1b").at("message"), "a\"b\\c\nd\x1b");
  EXPECT_EQ(JsonOf("a\xFF"
                   "b")
                .at("message"),
            "a\uFFFDb");
  EXPECT_EQ(JsonOf("%v {} {0}").at("message"), "%v {} {0}");
}

TEST(Log, AFullDiskIsNoError) {
  Start(Level::kDebug, Format::kText);
  {
    const StderrIs full("/dev/full");
    ASSERT_EQ(write(STDERR_FILENO, "x", 1), -1);
    ASSERT_EQ(errno, ENOSPC);
    EXPECT_NO_THROW(Info("lost"));
  }
  EXPECT_THAT(StderrOf([] { Info("kept"); }), EndsWith(" kept\n"));
}

TEST(Log, AClosedPipeIsNoError) {
  Start(Level::kDebug, Format::kText);
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  close(ends[0]);
  {
    const StderrIs broken(ends[1]);
    EXPECT_NO_THROW(Info("lost"));
  }
  EXPECT_THAT(StderrOf([] { Info("kept"); }), HasSubstr(" kept\n"));
}

TEST(Log, LinesOfManyThreadsDoNotMix) {
  constexpr int kThreads = 8;
  constexpr int kLines = 200;
  Start(Level::kInfo, Format::kJson);
  const std::string lines = StderrOf([] {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([t] {
        const std::string message(100, static_cast<char>('a' + t));
        for (int i = 0; i < kLines; ++i) Info(message);
      });
    }
  });
  std::istringstream stream(lines);
  int count = 0;
  for (std::string line; std::getline(stream, line); ++count) {
    const auto message = nlohmann::json::parse(line).at("message").get<std::string>();
    EXPECT_EQ(message, std::string(100, message.at(0)));
  }
  EXPECT_EQ(count, kThreads * kLines);
}

}  // namespace
}  // namespace iq::log
