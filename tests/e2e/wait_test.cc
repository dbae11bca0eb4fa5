// iq send --wait.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/installation.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using testing::ContainsRegex;
using testing::HasSubstr;

std::vector<nlohmann::json> JsonLines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

class WaitTest : public testing::Test {
 protected:
  WaitTest() {
    iq_.OpenAccount(2, 10'000);
    iq_.StartHosts();
  }

  Installation iq_;
};

TEST_F(WaitTest, ShowsTheOutcomeAndItsEvents) {
  const CliResult sent =
      iq_.Cli({"send", "--wait", "income", "userId=2", "sum=1.5", "--id", "a b"});
  EXPECT_EQ(sent.status, 0) << sent.err;
  EXPECT_THAT(sent.out, ContainsRegex("^done  income a b\n  event balance.income .*11500"));
}

TEST_F(WaitTest, ARefusalIsStatusOne) {
  const CliResult sent = iq_.Cli({"send", "--wait", "withdraw", "userId=2", "sum=11"});
  EXPECT_EQ(sent.status, 1);
  EXPECT_THAT(sent.out, ContainsRegex("^rejected  withdraw .*insufficient_funds: "));
}

TEST_F(WaitTest, WhatIsNoCommandIsAnsweredToo) {
  const CliResult sent = iq_.Cli({"send", "--wait", "income", "userId=2"});
  EXPECT_EQ(sent.status, 1);
  EXPECT_THAT(sent.out, ContainsRegex("^invalid  income .*schema: "));
}

TEST_F(WaitTest, ManyAreAllWaitedFor) {
  const CliResult sent =
      iq_.Cli({"send", "--wait", "--json", "income", "userId=2", "sum=1", "--count", "300"});
  EXPECT_EQ(sent.status, 0) << sent.err;
  const auto lines = JsonLines(sent.out);
  EXPECT_EQ(lines.size(), 300U);
  EXPECT_TRUE(std::all_of(lines.begin(), lines.end(),
                          [](const nlohmann::json& line) { return line["outcome"] == "done"; }));
  EXPECT_EQ(iq_.Balance(2), 310'000);
}

TEST_F(WaitTest, ACommandWithoutAnIdIsWaitedForToo) {
  const CliResult sent = iq_.Cli({"send", "--wait", "--no-id", "income", "userId=2", "sum=1"});
  EXPECT_EQ(sent.status, 0) << sent.out << sent.err;
}

TEST_F(WaitTest, LinesOfStandardInputAreAnsweredEach) {
  const std::string input = iq_.directory() + "/lines";
  std::ofstream(input) << R"({"type":"income","userId":2,"sum":1})"
                          "\n"
                       << R"({"type":"income","userId":9,"sum":1})"
                          "\n";
  const CliResult sent = iq_.Cli({"send", "--wait", "--json", "-"}, input);
  EXPECT_EQ(sent.status, 1);
  EXPECT_EQ(JsonLines(sent.out).size(), 2U);
}

TEST_F(WaitTest, TwoCommandsOfOneIdHaveAnOutcomeEach) {
  const std::string input = iq_.directory() + "/lines";
  std::ofstream(input) << R"({"id":"one","type":"income","userId":2,"sum":1})"
                          "\n"
                       << R"({"id":"one","type":"income","userId":2,"sum":2})"
                          "\n";
  const CliResult sent = iq_.Cli({"send", "--wait", "--file", input});
  EXPECT_EQ(sent.status, 1);
  EXPECT_THAT(sent.out, HasSubstr("done  income one"));
  EXPECT_THAT(sent.out, HasSubstr("id_conflict"));
}

TEST_F(WaitTest, WithoutAHostItGivesUpAndSaysWhy) {
  iq_.StopHosts();
  const CliResult sent =
      iq_.Cli({"send", "--wait", "--timeout", "1", "income", "userId=2", "sum=1"});
  EXPECT_EQ(sent.status, 1);
  EXPECT_THAT(sent.err, HasSubstr("is `iq run` running?"));
}

}  // namespace
}  // namespace iq::test
