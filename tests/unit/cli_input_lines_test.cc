#include "host/cli/input_lines.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace iq::cli {
namespace {

using namespace std::chrono_literals;

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe(ends_.data()), 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close(ends_[0]);
    EndInput();
  }

  int reader() const { return ends_[0]; }

  void Write(std::string_view text) {
    EXPECT_EQ(write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void EndInput() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

std::vector<std::string> AllLines(InputLines& input) {
  std::vector<std::string> lines;
  while (!input.ended()) {
    if (auto line = input.Next(10s)) lines.push_back(*line);
  }
  return lines;
}

TEST(InputLines, AreGivenOneByOneWithTheirNumbers) {
  Pipe pipe;
  InputLines input(pipe.reader(), "input");
  pipe.Write("a\n\nb\r\n");
  EXPECT_EQ(input.Next(10s), "a");
  EXPECT_EQ(input.place(), "input:1");
  EXPECT_EQ(input.Next(10s), "");
  EXPECT_EQ(input.Next(10s), "b");
  EXPECT_EQ(input.number(), 3U);
  EXPECT_FALSE(input.ended());
  pipe.EndInput();
  EXPECT_EQ(input.Next(10s), std::nullopt);
  EXPECT_TRUE(input.ended());
}

TEST(InputLines, WaitForTheRestOfALine) {
  Pipe pipe;
  InputLines input(pipe.reader(), "input");
  pipe.Write("a");
  EXPECT_EQ(input.Next(0ms), std::nullopt);
  pipe.Write("b\nc");
  EXPECT_EQ(input.Next(10s), "ab");
  EXPECT_EQ(input.Next(0ms), std::nullopt);
}

TEST(InputLines, NeedNoNewlineAtTheEnd) {
  Pipe pipe;
  InputLines input(pipe.reader(), "input");
  pipe.Write("a\nb");
  pipe.EndInput();
  EXPECT_EQ(AllLines(input), (std::vector<std::string>{"a", "b"}));
}

TEST(InputLines, MayBeLongerThanWhatIsReadAtATime) {
  Pipe pipe;
  InputLines input(pipe.reader(), "input");
  std::string expected;
  for (int i = 0; i < 5; ++i) {
    const std::string part(50000, static_cast<char>('a' + i));
    pipe.Write(part);
    EXPECT_EQ(input.Next(10s), std::nullopt);
    expected += part;
  }
  pipe.Write("\nz\n");
  pipe.EndInput();
  EXPECT_EQ(AllLines(input), (std::vector<std::string>{expected, "z"}));
}

}  // namespace
}  // namespace iq::cli
