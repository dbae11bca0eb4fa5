// `iq plugin check` on plugins that are good, and on one slip each: tests/plugins/slipshod.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "host/base/temporary_directory.h"
#include "tests/e2e/installation.h"

namespace iq::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

const std::string kTables = IQ_SOURCE_DIR "/sql/billing/001_balance.sqlite.sql";

std::string Built(const std::string& plugin) { return IQ_BINARY_DIR "/plugins/" + plugin + ".so"; }
std::string Slip(const std::string& slip) {
  return IQ_BINARY_DIR "/test_plugins/slipshod" + slip + ".so";
}

CliResult Check(const std::string& file, std::vector<std::string> args = {}) {
  const TemporaryDirectory folder("plugin-check-test");
  args.insert(args.begin(), {IQ_BINARY_DIR "/iq", "plugin", "check", "--json", file});
  return CliRun(std::move(args), {}, folder.path() / "run").Finish();
}

// By case: the verdict and, of a fault, what it is.
std::map<std::string, std::string> Verdicts(const CliResult& result) {
  std::map<std::string, std::string> verdicts;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    const json row = json::parse(line);
    const std::string verdict = row.at("verdict");
    verdicts[row.at("case")] =
        verdict == "fault" ? verdict + ": " + row.at("detail").get<std::string>() : verdict;
  }
  return verdicts;
}

void ExpectFlawless(const CliResult& result) {
  EXPECT_EQ(result.status, kDone) << result.out << result.err;
  const auto verdicts = Verdicts(result);
  EXPECT_THAT(verdicts, Not(IsEmpty()));
  for (const auto& [name, verdict] : verdicts) EXPECT_EQ(verdict, "good") << name << result.out;
}

// The slip is found by one case, whose fault says `says`, and by no other.
void ExpectFault(const std::string& slip, const std::string& name, const std::string& says) {
  const CliResult result = Check(Slip(slip));
  EXPECT_EQ(result.status, kFailed);
  EXPECT_THAT(result.err, HasSubstr("found a fault"));
  for (const auto& [each, verdict] : Verdicts(result)) {
    if (each == name) {
      EXPECT_THAT(verdict, StartsWith("fault: ")) << each;
      EXPECT_THAT(verdict, HasSubstr(says));
    } else {
      EXPECT_THAT(verdict, Not(StartsWith("fault"))) << each;
    }
  }
}

TEST(PluginCheck, FindsNothingWrongWithAGoodPlugin) { ExpectFlawless(Check(Slip(""))); }

TEST(PluginCheck, FindsNothingWrongWithTheBillingPlugins) {
  for (const char* plugin : {"income", "withdraw", "transfer", "lock"}) {
    ExpectFlawless(Check(Built(plugin), {"--tables", kTables}));
  }
  ExpectFlawless(
      Check(Built("income"), {"--tables", kTables, "--setting", "income.open_accounts=true"}));
}

TEST(PluginCheck, SaysWhenATableIsMissing) {
  const auto verdicts = Verdicts(Check(Built("income")));
  EXPECT_THAT(verdicts.at("examples"), HasSubstr("give its tables with --tables"));
}

TEST(PluginCheck, FindsWhatIsWrongWithAFile) {
  const auto verdicts = Verdicts(Check(kTables));
  EXPECT_THAT(verdicts.at("file"), HasSubstr("is not an ELF file"));
}

TEST(PluginCheck, FindsSurplusExportsAndWhatTheNextVersionWouldShare) {
  const auto verdicts = Verdicts(Check(IQ_BINARY_DIR "/test_plugins/swap_unique_1.so"));
  EXPECT_THAT(verdicts.at("flags"), HasSubstr("-fno-gnu-unique"));
  EXPECT_THAT(verdicts.at("exports"), HasSubstr("exports more than"));
}

TEST(PluginCheck, FindsAManifestOfAnother) { ExpectFault("_note", "manifest", "another"); }

TEST(PluginCheck, FindsEventsThatCannotBeUnderstood) {
  ExpectFault("_events", "manifest", "mend its kEvents");
}

TEST(PluginCheck, FindsAnExampleThatItsOwnSchemaRefuses) {
  const auto verdicts = Verdicts(Check(Slip("_example")));
  EXPECT_THAT(verdicts.at("examples"), HasSubstr("its own example is invalid"));
}

TEST(PluginCheck, FindsAHandlerThatThrowsAtInputItsSchemaLetsPass) {
  ExpectFault("_throw", "hostile", "there is nobody to greet");
}

TEST(PluginCheck, OutlivesACrashAndNamesItsBody) {
  ExpectFault("_crash", "hostile", R"(it crashed: handling {"loud":true,"name":"xxx)");
}

TEST(PluginCheck, FindsAPlanThatIsNotFromTheMessageAlone) {
  ExpectFault("_plan", "plan", "plans differently each time");
}

TEST(PluginCheck, FindsAThreadLeftBehind) { ExpectFault("_thread", "threads", "still run"); }

TEST(PluginCheck, FindsHandlersThatShareWhatIsNotTheirs) {
  const auto verdicts = Verdicts(Check(Slip("_shared")));
  EXPECT_THAT(verdicts.at("threads"), HasSubstr("it crashed"));
}

TEST(PluginCheck, FindsForgottenMemory) { ExpectFault("_leak", "leaks", "it leaks"); }

TEST(PluginCheck, FindsForgottenFiles) { ExpectFault("_file", "leaks", "more files are open"); }

TEST(PluginCheck, FindsASlowPlan) { ExpectFault("_slow", "time", "its Plan takes"); }

TEST(PluginCheck, RefusesASettingItCannotRead) {
  const CliResult result = Check(Slip(""), {"--setting", "nonsense"});
  EXPECT_EQ(result.status, kUsage);
  EXPECT_THAT(result.err, HasSubstr("PLUGIN.KEY=VALUE"));
}

}  // namespace
}  // namespace iq::test
