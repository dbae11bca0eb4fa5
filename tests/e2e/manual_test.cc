// What helps at the prompt: the manual page and the completion in bash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/e2e/installation.h"

namespace iq::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

constexpr const char* kProgram = IQ_BINARY_DIR "/iq";
constexpr const char* kManual = IQ_SOURCE_DIR "/docs/iq.1";

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class ManualTest : public testing::Test {
 protected:
  ManualTest() {
    std::string pattern = "/tmp/iq-manual-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~ManualTest() override { std::filesystem::remove_all(folder_); }

  CliResult Run(std::vector<std::string> argv) {
    ProcessOptions options;
    options.directory = folder_;
    return CliRun(std::move(argv), options, folder_ / std::to_string(++runs_)).Finish();
  }

  // The verbs that `iq --help` lists.
  std::vector<std::string> Verbs() {
    std::vector<std::string> verbs;
    const std::string help = Run({kProgram, "--help"}).out;
    const std::regex verb(R"(^  ([a-z-]+) )");
    bool listed = false;
    for (const std::string& line : Lines(help)) {
      std::smatch match;
      if (listed && std::regex_search(line, match, verb)) verbs.push_back(match[1]);
      listed = listed || line == "Subcommands:";
    }
    EXPECT_THAT(verbs, Contains("dead")) << help;
    return verbs;
  }

  std::filesystem::path folder_;
  int runs_ = 0;
};

TEST_F(ManualTest, IsWellFormed) {
  const CliResult checked = Run({"groff", "-man", "-ww", "-z", kManual});
  EXPECT_EQ(checked.status, 0) << "groff is in the package groff-base";
  EXPECT_EQ(checked.out + checked.err, "");
}

TEST_F(ManualTest, NamesEveryVerb) {
  const std::string page = Run({"groff", "-man", "-Tascii", "-P-cbou", kManual}).out;
  for (const std::string& verb : Verbs()) EXPECT_THAT(page, HasSubstr("iq " + verb));
}

class CompletionTest : public ManualTest {
 protected:
  CompletionTest() {
    const CliResult printed = Run({kProgram, "completion", "bash"});
    EXPECT_EQ(printed.status, 0) << printed.err;
    std::ofstream(script()) << printed.out;
  }

  std::string script() const { return folder_ / "iq.bash"; }

  // What bash offers for the last of `words`.
  std::vector<std::string> Offered(const std::vector<std::string>& words) {
    std::vector<std::string> argv{
        "bash", "-c",
        R"(. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _iq; printf '%s\n' "${COMPREPLY[@]}")",
        script()};
    argv.insert(argv.end(), words.begin(), words.end());
    const CliResult offered = Run(std::move(argv));
    EXPECT_EQ(offered.err, "");
    std::vector<std::string> lines = Lines(offered.out);
    std::erase(lines, "");
    return lines;
  }
};

TEST_F(CompletionTest, IsAScript) {
  const CliResult checked = Run({"bash", "-n", script()});
  EXPECT_EQ(checked.status, 0);
  EXPECT_EQ(checked.err, "");
}

TEST_F(CompletionTest, CompletesVerbs) {
  EXPECT_THAT(Offered({"iq", "d"}), ElementsAre("dead", "doctor"));
  EXPECT_THAT(Offered({"iq", "de"}), ElementsAre("dead"));
  EXPECT_THAT(Offered({"iq", "dea"}), ElementsAre("dead"));
  EXPECT_THAT(Offered({"iq", "dead", ""}), IsSupersetOf({"list", "show", "retry", "drop"}));
  EXPECT_THAT(Offered({"iq", "dead", "r"}), ElementsAre("retry"));
  EXPECT_THAT(Offered({"iq", ""}), IsSupersetOf(Verbs()));
  EXPECT_THAT(Offered({"iq", "pro"}), IsEmpty()) << "that is not for people";
}

TEST_F(CompletionTest, CompletesOptions) {
  EXPECT_THAT(Offered({"iq", "dead", "retry", "--d"}), ElementsAre("--dry-run"));
  EXPECT_THAT(Offered({"iq", "dead", "retry", "--all", "--e"}), ElementsAre("--edit"));
  EXPECT_THAT(Offered({"iq", "dead", "list", "--"}),
              IsSupersetOf({"--code", "--type", "--since", "--until", "--group", "--limit",
                            "--json", "--config", "--help"}));
  EXPECT_THAT(Offered({"iq", "dead", "list", "--"}), Not(Contains("--edit")));
  EXPECT_THAT(Offered({"iq", "dead", "list", "--config", ""}), IsEmpty()) << "a file follows";
  EXPECT_THAT(Offered({"iq", "dead", "list", "--config", "x.yaml", "--g"}), ElementsAre("--group"));
}

}  // namespace
}  // namespace iq::test
