// The verbs of the program as a user calls them: what they print, what they change, how they exit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "host/base/digest.h"
#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

std::size_t LineCount(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

std::vector<json> JsonLines(const std::string& text) {
  std::vector<json> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  return rows;
}

// One line that says what is wrong.
void ExpectRefused(const CliResult& result, int status, const std::string& says) {
  EXPECT_EQ(result.status, status) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr(says));
  EXPECT_EQ(LineCount(result.err), 1U) << result.err;
}

TEST(MigrateTest, BringsAnEmptyDatabaseUpToDateOnce) {
  InstallationOptions options;
  options.migrate = false;
  Installation iq(options);
  ExpectRefused(iq.Cli({"seed"}), kFailed, "iq migrate");
  EXPECT_EQ(iq.store().Tables(), 0U);
  const CliResult dry = iq.Cli({"migrate", "--dry-run"});
  EXPECT_EQ(dry.status, kDone);
  EXPECT_THAT(dry.out,
              AllOf(HasSubstr("pending iq/001_journal"), HasSubstr("pending billing/001_balance")));
  EXPECT_EQ(iq.store().Tables(), 0U);
  const CliResult first = iq.Cli({"migrate"});
  EXPECT_EQ(first.status, kDone);
  EXPECT_THAT(first.out,
              AllOf(HasSubstr("applied iq/001_journal"), HasSubstr("applied billing/001_balance")));
  const std::size_t after = iq.store().Tables();
  EXPECT_NE(after, 0U);
  const CliResult again = iq.Cli({"migrate"});
  EXPECT_EQ(again.status, kDone);
  EXPECT_THAT(again.out, HasSubstr("nothing to do"));
  EXPECT_EQ(iq.store().Tables(), after);
}

TEST(RunTest, RefusesADatabaseThatIsNotMigrated) {
  InstallationOptions options;
  options.migrate = false;
  Installation iq(options);
  const CliResult run = iq.Cli({"run"});
  EXPECT_EQ(run.status, kUsage);
  EXPECT_THAT(run.err, HasSubstr("`iq migrate`"));
}

TEST(RunTest, RefusesAQueueThatStandsWithOtherArguments) {
  Installation iq;
  iq.StartHosts();
  iq.StopHosts();
  InstallationOptions options;
  options.consumer = "queue_type: classic, ";
  iq.Configure(options);
  const CliResult run = iq.Cli({"run"});
  EXPECT_EQ(run.status, kUsage);
  std::vector<std::string> about;
  std::istringstream lines(run.err);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("queue_type") != std::string::npos) about.push_back(line);
  }
  ASSERT_EQ(about.size(), 1U) << run.err;
  EXPECT_THAT(about[0], AllOf(HasSubstr("\"billing\""), HasSubstr("consumers[].queue_type")));
}

TEST(SeedTest, OpensAccountsOnce) {
  Installation iq;
  iq.OpenAccount(7, 123);
  EXPECT_EQ(iq.Cli({"seed"}).status, kDone);
  const auto state = [&] {
    return iq.store().Rows("SELECT user_id, sum FROM balance ORDER BY user_id");
  };
  const auto first = state();
  EXPECT_EQ(iq.store().Value("SELECT count(*) FROM balance WHERE user_id BETWEEN 1 AND 199"),
            "199");
  EXPECT_EQ(first.size(), 199U);
  EXPECT_EQ(iq.Balance(7), 123) << "who has a balance keeps it";
  EXPECT_EQ(
      iq.store().Value(
          "SELECT count(*) FROM balance WHERE user_id <> 7 AND (sum % 1000 <> 0 OR sum > 1000000)"),
      "0");
  EXPECT_GT(iq.store().Value("SELECT count(DISTINCT sum) FROM balance"), "1");
  EXPECT_EQ(iq.Cli({"seed"}).status, kDone);
  EXPECT_EQ(state(), first);
}

TEST(ConfigTest, IsPrintedWithPasswordsMasked) {
  InstallationOptions options;
  options.store_url = "postgresql://user:geheim1@127.0.0.1:1/db";
  options.broker_url = "amqp://user:geheim2@127.0.0.1:1/%2F";
  options.locks_url = "redis://:geheim3@127.0.0.1:1/0";
  options.migrate = false;
  Installation iq(options);
  const CliResult text = iq.Cli({"config"});
  EXPECT_EQ(text.status, kDone);
  EXPECT_THAT(text.out, AllOf(HasSubstr("***"), HasSubstr("postgresql://user:"),
                              HasSubstr("sweep_after"), Not(HasSubstr("geheim"))));
  const CliResult as_json = iq.Cli({"config", "--json"});
  EXPECT_EQ(as_json.status, kDone);
  EXPECT_THAT(as_json.out, Not(HasSubstr("geheim")));
  EXPECT_EQ(json::parse(as_json.out)["dead_letter"]["queue"], "billing.dead");
}

TEST(ConfigTest, AnUnknownKeyIsNamedWithFileAndLine) {
  Installation iq;
  std::ofstream(iq.config()) << "limits:\n  deadline: 2s\n  dead_line: 3s\n";
  for (const char* verb : {"config", "run", "migrate", "plugins", "doctor", "asyncapi"}) {
    const CliResult result = iq.Cli({verb});
    EXPECT_EQ(result.status, kUsage) << verb;
    EXPECT_THAT(result.err,
                AllOf(HasSubstr(iq.config()), HasSubstr("3"), HasSubstr("limits.dead_line")))
        << verb;
  }
}

TEST(TokenTest, IsPrintedWithTheEntryThatLetsItIn) {
  InstallationOptions options;
  options.migrate = false;
  Installation iq(options);
  const CliResult made = iq.Cli({"token", "true", "--may", "write", "--json"});
  EXPECT_EQ(made.status, kDone) << made.err;
  const json row = json::parse(made.out);
  EXPECT_EQ(row.at("name"), "true");
  EXPECT_EQ(row.at("may"), "write");
  EXPECT_THAT(row.at("token").get<std::string>(), testing::MatchesRegex("[A-Za-z0-9_-]{43}"));
  EXPECT_EQ(row.at("sha256"), Sha256Hex(row.at("token").get<std::string>()));

  const std::string text = iq.Cli({"token", "true"}).out;
  EXPECT_THAT(text, Not(HasSubstr(row.at("token").get<std::string>()))) << "each is another";
  const auto begin = text.find("    - name:");
  const auto end = text.find("\n\n", begin);
  ASSERT_NE(end, std::string::npos) << text;
  std::ofstream(iq.config()) << "admin:\n  tokens:\n" << text.substr(begin, end - begin) << "\n";
  const json admin = json::parse(iq.Cli({"config", "--json"}).out).at("admin");
  ASSERT_EQ(admin.at("tokens").size(), 1U);
  EXPECT_EQ(admin.at("tokens").at(0), json({{"name", "true"}, {"sha256", "***"}, {"may", "read"}}));
}

TEST(UsageTest, WhatIsNoUsageExitsWithTwo) {
  Installation iq;
  for (const std::vector<std::string>& args : {std::vector<std::string>{"fly"},
                                               {"run", "--fast"},
                                               {"send"},
                                               {"send", "income", "userId"},
                                               {"send", "income", "--count", "0"},
                                               {"send", "-", "userId=1"},
                                               {"send", "income", "--file", "x"},
                                               {"send", "--file", "/there is no such file"},
                                               {"dead"},
                                               {"dead", "retry"},
                                               {"dead", "drop", "--all", "x"},
                                               {"dead", "list", "x"},
                                               {"dead", "list", "--since", "yesterday"},
                                               {"dead", "list", "--group", "--limit", "1"},
                                               {"dead", "retry", "--dry-run"},
                                               {"dead", "retry", "--edit", "--all"},
                                               {"dead", "retry", "--edit", "x", "y"},
                                               {"dead", "retry", "--edit", "--dry-run", "x"},
                                               {"dead", "drop", "--until", "1"},
                                               {"completion"},
                                               {"completion", "fish"},
                                               {"token"},
                                               {"token", "a b"},
                                               {"token", "a", "--may", "act"},
                                               {"dead", "show"},
                                               {"explain"},
                                               {"events", "--count", "x"},
                                               {"asyncapi", "--json"},
                                               {"migrate", "--sql", "/there is no such folder"}}) {
    const CliResult result = iq.Cli(args);
    EXPECT_EQ(result.status, kUsage) << fmt::format("{}", fmt::join(args, " ")) << "\n"
                                     << result.err;
    EXPECT_THAT(result.err, StartsWith("iq: "));
    EXPECT_EQ(LineCount(result.err), 1U) << result.err;
  }
}

// The verbs that need a host that runs.
class VerbsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    iq_ = std::make_unique<Installation>();
    iq_->StartHosts();
  }
  static void TearDownTestSuite() {
    iq_->StopHosts();
    iq_.reset();
  }
  static Installation& iq() { return *iq_; }

  // What a test that failed has left would fail the others.
  void TearDown() override {
    if (HasFailure()) iq().Cli({"dead", "drop", "--all"});
  }

  static std::int64_t User(std::int64_t thousandths) {
    static std::int64_t last = 0;
    iq().OpenAccount(++last, thousandths);
    return last;
  }

  static std::string File(const std::string& name, const std::string& text) {
    const std::string path = iq().directory() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  static json NextEvent() {
    const auto events = iq().NextEvents(1);
    EXPECT_EQ(events.size(), 1U) << iq().Log();
    return events.empty() ? json::object() : json::parse(events[0].body);
  }

  static CliResult Dead(std::size_t letters, std::vector<std::string> args) {
    args.insert(args.begin(), "dead");
    return iq().CliOnceDead(letters, args);
  }

  // The rows of `iq dead list`, of `letters`, for one id.
  static std::vector<json> DeadRows(std::size_t letters, const std::string& id) {
    const CliResult listed = Dead(letters, {"list", "--json"});
    EXPECT_EQ(listed.status, kDone) << listed.err;
    std::vector<json> rows = JsonLines(listed.out);
    std::erase_if(rows, [&](const json& row) { return row.at("id") != id; });
    return rows;
  }

  // Sends what will be rejected for want of money, as the last of `letters`; returns its event.
  static json SendTooMuch(std::size_t letters, const std::string& id, std::int64_t user) {
    iq().SendWithId(id, Body("withdraw", user, "5"));
    json event = NextEvent();
    EXPECT_EQ(event["event"], "command.rejected");
    EXPECT_EQ(DeadRows(letters, id).size(), 1U);
    return event;
  }

 private:
  static inline std::unique_ptr<Installation> iq_;
};

TEST_F(VerbsTest, SendTakesFieldsAndAnId) {
  const auto from = User(10'000);
  const auto to = User(0);
  const std::string id = NewId();
  const CliResult sent = iq().Cli({"send", "transfer", fmt::format("userId={}", to), "sum=2.5",
                                   fmt::format("details.userFromId={}", from), "--id", id});
  EXPECT_EQ(sent.status, kDone) << sent.err;
  EXPECT_EQ(sent.out, id + "\n");
  json event = NextEvent();
  EXPECT_EQ(event["commandId"], id);
  EXPECT_EQ(event["data"]["balance"], 2'500);
  EXPECT_EQ(iq().Balance(from), 7'500);
}

TEST_F(VerbsTest, SendCounts) {
  const auto user = User(0);
  const std::string field = fmt::format("userId={}", user);
  EXPECT_EQ(iq().Cli({"send", "income", field, "sum=1", "--count", "30"}).status, kDone);
  EXPECT_EQ(iq().NextEvents(30).size(), 30U);
  EXPECT_EQ(iq().Balance(user), 30'000);
  for (int i = 0; i < 2; ++i) {
    const CliResult numbered = iq().Cli(
        {"send", "income", field, "sum=1", "--count", "3", "--id", "batch of " + field, "--json"});
    EXPECT_EQ(numbered.status, kDone);
    EXPECT_EQ(JsonLines(numbered.out).at(2)["id"], "batch of " + field + "-3");
    EXPECT_EQ(iq().NextEvents(3).size(), 3U);
  }
  EXPECT_EQ(iq().Balance(user), 33'000) << "the second time is a repetition";
}

TEST_F(VerbsTest, SendReadsFilesAndStandardInput) {
  const auto user = User(0);
  const std::string lines =
      Body("income", user, "1") + "\n\n" +
      fmt::format(R"({{"type":"income","userId":{},"sum":2,"id":"line of {}"}})", user, user) +
      "\n" + Body("income", user, "4");
  const std::string file = File("commands.jsonl", lines);
  EXPECT_EQ(iq().Cli({"send", "--file", file}).status, kDone);
  EXPECT_EQ(iq().NextEvents(3).size(), 3U);
  EXPECT_EQ(iq().Balance(user), 7'000);
  for (const auto& args : {std::vector<std::string>{"send", "-"}, {"send", "--file", "-"}}) {
    EXPECT_EQ(iq().Cli(args, file).status, kDone);
  }
  EXPECT_EQ(iq().NextEvents(6).size(), 6U);
  EXPECT_EQ(iq().Balance(user), 17'000) << "the line with an id of its own counts once";

  const std::string broken = File("broken.jsonl", Body("income", user) + "\nno command\n");
  ExpectRefused(iq().Cli({"send", "--file", broken}), kUsage, broken + ":2");
  ExpectRefused(iq().Cli({"send", "-"}, broken), kUsage, "standard input:2");
  EXPECT_EQ(iq().NextEvents(1).size(), 1U) << "what came before over standard input was sent";
  EXPECT_EQ(iq().Balance(user), 18'000) << "of a file with a fault nothing was sent";
}

TEST_F(VerbsTest, EventsShowsSoManyAndEnds) {
  const auto user = User(0);
  const auto follower =
      iq().StartCli({"events", "--count", "3", "--json", "--pattern", "balance.*"});
  ASSERT_TRUE(Eventually(20s, [&] {
    return follower->err().find("listening") != std::string::npos;
  })) << follower->err();
  for (int i = 0; i < 3; ++i) iq().SendWithId(NewId(), Body("income", user));
  const CliResult shown = follower->Finish();
  EXPECT_EQ(shown.status, kDone) << shown.err;
  const auto rows = JsonLines(shown.out);
  ASSERT_EQ(rows.size(), 3U);
  for (const json& row : rows) EXPECT_EQ(row.at("event"), "balance.income");
  iq().NextEvents(3);
}

TEST_F(VerbsTest, PluginsListsWhatServes) {
  const CliResult text = iq().Cli({"plugins"});
  EXPECT_EQ(text.status, kDone);
  for (const char* name : {"income", "withdraw", "transfer", "lock", "1.0.0"})
    EXPECT_THAT(text.out, HasSubstr(name));
  EXPECT_EQ(text.err, "");
  for (const json& row : JsonLines(iq().Cli({"plugins", "--json"}).out)) {
    EXPECT_EQ(row.at("state"), "serves");
    EXPECT_EQ(row.at("generation"), 1);
    EXPECT_EQ(row.at("types"), json::array({row.at("plugin")}));
    EXPECT_THAT(row.at("file"), HasSubstr(".so"));
  }
}

TEST_F(VerbsTest, TopShowsWhatTheHostsDoAndWhatWaits) {
  const auto user = User(0);
  const auto running = iq().StartCli({"top", "--count", "2", "--json"});
  iq().SendWithId(NewId(), Body("income", user));
  NextEvent();
  const CliResult shown = running->Finish();
  EXPECT_EQ(shown.status, kDone) << shown.err;
  std::int64_t incomes = 0;
  std::size_t queues = 0;
  for (const json& row : JsonLines(shown.out)) {
    if (row.contains("queue")) {
      ++queues;
      if (row.at("queue") == "billing") EXPECT_EQ(row.at("consumers"), 1);
    } else if (row.at("plugin") == "income") {
      incomes = row.at("done");
    }
  }
  EXPECT_EQ(queues, 2U * 4) << "billing, two delay queues, billing.dead; at each look";
  EXPECT_GT(incomes, 0);
  EXPECT_THAT(iq().Cli({"top", "--count", "1"}).out, HasSubstr("DONE"));
  EXPECT_EQ(iq().Cli({"top", "--every", "1ms"}).status, kUsage);
}

TEST_F(VerbsTest, ExplainSaysWhoWouldServeAndRunsNothing) {
  const auto user = User(0);
  const CliResult fine =
      iq().Cli({"explain", Body("transfer", user, "1", R"({"userFromId":900})"), "--json"});
  EXPECT_EQ(fine.status, kDone);
  const json row = json::parse(fine.out);
  EXPECT_EQ(row.at("verdict"), "ok");
  EXPECT_EQ(row.at("plugin"), "transfer");
  EXPECT_THAT(row.at("locks"),
              testing::UnorderedElementsAre("user:900", fmt::format("user:{}", user)));
  for (const auto& [body, code] : std::vector<std::pair<std::string, std::string>>{
           {"{", "malformed"}, {Body("income", 0), "schema"}, {Body("fly", 1), "unknown_type"}}) {
    const CliResult refused = iq().Cli({"explain", body, "--json"});
    EXPECT_EQ(refused.status, kFailed) << body;
    EXPECT_EQ(json::parse(refused.out).at("code"), code);
    EXPECT_NE(json::parse(refused.out).at("reason"), "");
  }
  EXPECT_THAT(iq().Cli({"explain", "-"}, File("one.json", Body("income", user))).out,
              HasSubstr("income"));
  EXPECT_EQ(iq().EventsWaiting(), 0U);
}

TEST_F(VerbsTest, DoctorFindsAllGood) {
  const CliResult healthy = iq().Cli({"doctor", "--json"});
  EXPECT_EQ(healthy.status, kDone) << healthy.out << healthy.err;
  for (const json& row : JsonLines(healthy.out)) EXPECT_NE(row.at("status"), "fail") << row;
}

TEST_F(VerbsTest, ARejectedCommandIsJudgedAnewOnceThereIsMoney) {
  const auto user = User(1'000);
  const std::string id = NewId();
  json refusal = SendTooMuch(1, id, user);
  const json row = DeadRows(1, id).at(0);
  EXPECT_EQ(row.at("code"), "insufficient_funds");
  EXPECT_EQ(row.at("outcome"), "rejected");
  EXPECT_THAT(Dead(1, {"show", id}).out, AllOf(HasSubstr(id), HasSubstr("insufficient_funds")));
  const json shown = json::parse(Dead(1, {"show", id, "--json"}).out);
  EXPECT_EQ(shown.at("body"), Body("withdraw", user, "5"));
  EXPECT_EQ(shown.at("headers").at("x-iq-code"), "insufficient_funds");

  // In vain at first: it comes back, still to be found.
  EXPECT_EQ(Dead(1, {"retry", id}).status, kDone);
  json second = NextEvent();
  EXPECT_EQ(second["event"], "command.rejected");
  EXPECT_NE(second["id"], refusal["id"]) << "it was judged anew: that is another event";
  ASSERT_EQ(DeadRows(1, id).size(), 1U);

  iq().SendWithId(NewId(), Body("income", user, "10"));
  NextEvent();
  const CliResult retried = Dead(1, {"retry", id, "--json"});
  EXPECT_EQ(retried.status, kDone) << retried.err;
  EXPECT_EQ(json::parse(retried.out).at("journalRowRemoved"), true);
  json done = NextEvent();
  EXPECT_EQ(done["event"], "balance.withdraw");
  EXPECT_EQ(done["commandId"], id);
  EXPECT_NE(done["id"], refusal["id"]);
  EXPECT_NE(done["id"], second["id"]);
  EXPECT_EQ(iq().Balance(user), 6'000);
  EXPECT_EQ(iq().Outcome(id), "done");
  EXPECT_EQ(DeadRows(0, id).size(), 0U);
}

TEST_F(VerbsTest, ALetterThatOutlivedTheJournalIsJudgedAnewUnlessThatWasItsFault) {
  const auto user = User(10'000);
  const auto bury = [&](const std::string& id, const std::string& code) {
    AmqpPublishing letter{
        .exchange = "", .key = "billing.dead", .body = Body("withdraw", user, "4")};
    letter.properties.message_id = id;
    letter.properties.timestamp = 1'000'000'000;
    letter.properties.headers = {{"x-iq-code", code},
                                 {"x-iq-outcome", "rejected"},
                                 {"x-iq-type", "withdraw"},
                                 {"x-iq-queue", "billing"}};
    iq().broker().Publish({letter});
    EXPECT_EQ(DeadRows(1, id).size(), 1U);
    EXPECT_EQ(Dead(1, {"retry", id}).status, kDone);
  };
  const std::string refused = NewId();
  bury(refused, "insufficient_funds");
  EXPECT_EQ(NextEvent()["event"], "balance.withdraw");
  EXPECT_EQ(iq().Balance(user), 6'000);

  const std::string forgotten = NewId();
  bury(forgotten, "too_old");
  ASSERT_TRUE(Eventually(20s, [&] {
    const auto rows = DeadRows(1, forgotten);
    return rows.size() == 1 && rows[0].at("code") == "too_old" &&
           rows[0].at("outcome") == "invalid";  // Judged anew: it was buried as rejected.
  }));
  EXPECT_EQ(iq().Balance(user), 6'000);
  EXPECT_EQ(Dead(1, {"drop", forgotten}).status, kDone);
}

TEST_F(VerbsTest, DeadLettersAreDroppedByName) {
  const auto user = User(0);
  const std::string kept = NewId();
  const std::string dropped = NewId();
  SendTooMuch(1, kept, user);
  SendTooMuch(2, dropped, user);
  EXPECT_EQ(Dead(2, {"drop", dropped}).status, kDone);
  EXPECT_EQ(DeadRows(1, dropped).size(), 0U);
  EXPECT_EQ(DeadRows(1, kept).size(), 1U);
  for (const char* verb : {"drop", "retry", "show"}) {
    ExpectRefused(Dead(1, {verb, dropped}), kFailed, dropped);
  }
  EXPECT_EQ(iq().Outcome(dropped), "rejected");
  EXPECT_EQ(Dead(1, {"drop", "--all"}).status, kDone);
  EXPECT_EQ(iq().DeadCount(), 0U);
}

TEST_F(VerbsTest, ALetterWithoutAnIdIsNamedByItsBody) {
  iq().Send("no command at all");
  const auto rows = JsonLines(Dead(1, {"list", "--json"}).out);
  ASSERT_EQ(rows.size(), 1U);
  const std::string name = rows[0].at("id");
  EXPECT_THAT(name, testing::StartsWith("sha:"));
  EXPECT_EQ(rows[0].at("code"), "malformed");
  EXPECT_THAT(Dead(1, {"show", name}).out, HasSubstr("no command at all"));
  EXPECT_EQ(Dead(1, {"drop", name}).status, kDone);
}

}  // namespace
}  // namespace iq::test
