// What the API of the page tells and does.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "host/base/rfc3339.h"
#include "tests/e2e/console_api_fixture.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST_F(ConsoleApiTest, AFilterThatIsMisspeltChoosesNothing) {
  Bury(NewId());
  for (const char* filter : {R"({"code": ["schema"]})", "[]", R"({"since": 5})", "null"}) {
    const json body{{"all", true}, {"filter", json::parse(filter)}};
    EXPECT_EQ(Post("/api/dead/drop", body, By(kWriteToken)).status, kWrong) << filter;
  }
  EXPECT_EQ(Post("/api/dead/drop", {{"al", true}}, By(kWriteToken)).status, kWrong);
  EXPECT_EQ(iq_.DeadCount(), 1U);
}

TEST_F(ConsoleApiTest, WhatDiedSinceTheDryRunIsLeftAlone) {
  Bury(NewId());
  const json seen = Ended(Post("/api/dead/drop", {{"all", true}, {"dryRun", true}}).Json());
  EXPECT_EQ(seen.at("acted"), 1);
  iq_.SendWithId(NewId(), Body("withdraw", 1, "900000"));
  iq_.ExpectDead(2);
  const json job = Ended(
      Post("/api/dead/drop", {{"all", true}, {"first", seen.at("size")}}, By(kWriteToken)).Json());
  EXPECT_EQ(job.at("acted"), 1) << job;
  iq_.ExpectDead(1);
}

TEST_F(ConsoleApiTest, ToStopAnActIsAnAct) {
  Bury(NewId());
  const json job = Ended(Post("/api/dead/retry", {{"all", true}}, By(kWriteToken)).Json());
  const std::string path = fmt::format("/api/jobs/{}/stop", job.at("id").get<std::string>());
  EXPECT_EQ(Post(path, json::object()).status, kUnknownVisitor);
  EXPECT_EQ(Post(path, json::object(), By(kWriteToken)).status, kOk);
  EXPECT_THAT(Acts(), testing::Contains(TestStore::Row{"tester", "stop", "", "done", ""}));
}

TEST_F(ConsoleApiTest, WhatCannotBeUnderstoodIsRefusedInWords) {
  for (const char* text :
       {"[]", "7", "no JSON", "{\"body\": 7}", "{\"body\": \"{}\", \"id\": []}"}) {
    const Answer answer = PostText("/api/explain", text);
    EXPECT_EQ(answer.status, kWrong) << text;
    EXPECT_NE(answer.Error(), "") << text;
  }
  for (const char* path : {"/api/commands?limit=0", "/api/commands?limit=many",
                           "/api/commands?before=now", "/api/commands?since=yesterday",
                           "/api/dead?limit=1001", "/api/audit?before=now", "/api/command"}) {
    const Answer answer = Get(path);
    EXPECT_EQ(answer.status, kWrong) << path;
    EXPECT_NE(answer.Error(), "") << path;
  }
  EXPECT_EQ(Post("/api/dead/drop", {{"dryRun", true}}).status, kWrong) << "which letters?";
  EXPECT_EQ(Post("/api/dead/drop", {{"dryRun", true}, {"names", "all"}}).status, kWrong);
  const json long_wait{{"body", Body("income", 1)}, {"waitSeconds", 61}};
  EXPECT_EQ(Post("/api/send", long_wait, By(kWriteToken)).status, kWrong);
  constexpr std::size_t kLarge = std::size_t{700} * 1024;
  EXPECT_EQ(Post("/api/explain", {{"body", std::string(kLarge, 'x')}}).status, kTooLarge);
  EXPECT_THAT(Acts(), IsEmpty());
}

TEST_F(ConsoleApiTest, WhatIsNotThereIsNotFound) {
  for (const char* path :
       {"/api/jobs/0", "/api/command?id=nobody", "/api/dead/letter?name=nobody"}) {
    const Answer answer = Get(path);
    EXPECT_EQ(answer.status, kNothingThere) << path;
    EXPECT_NE(answer.Error(), "") << path;
  }
  EXPECT_EQ(Post("/api/jobs/0/stop", json::object(), By(kWriteToken)).status, kNothingThere);
  EXPECT_EQ(Get("/api/nothing").status, kNothingThere);
  EXPECT_EQ(Get("/page/..%2f..%2fetc%2fpasswd").status, kNothingThere);
}

TEST_F(ConsoleApiTest, TheStreamBeginsWithThePastAndBeatsEachSecond) {
  const auto began = std::chrono::steady_clock::now();
  const std::string before = Rfc3339(std::chrono::system_clock::now());
  const auto events = FirstEvents(2);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0].first, "past");
  for (const json& past : events[0].second) {
    EXPECT_GE(past.at("at"), before) << "it beat before anybody looked";
  }
  EXPECT_EQ(events[1].first, "pulse");
  const json& pulse = events[1].second;
  for (const char* member :
       {"at", "seconds", "commands", "repeated", "retries", "deadLetters", "withoutId", "latency",
        "batch", "queues", "journal", "servers", "processes", "jobs"}) {
    EXPECT_TRUE(pulse.contains(member)) << member;
  }
  ASSERT_THAT(pulse.at("processes"), SizeIs(1));
  EXPECT_EQ(pulse["processes"].at(0).at("pid"), iq_.hosts()[0]->pid());
  EXPECT_EQ(pulse["processes"].at(0).at("answers"), true);
  EXPECT_THAT(Texts(pulse.at("queues"), "name"),
              ElementsAre("billing", "billing.delay.100ms", "billing.delay.300ms", "billing.dead"));
  const auto again = FirstEvents(1);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_THAT(again[0].second, Not(IsEmpty())) << "somebody was looking";
}

TEST_F(ConsoleApiTest, AProcessTellsOfItself) {
  iq_.SendWithId(NewId(), Body("income", 1));
  ASSERT_TRUE(Eventually(kPatience, [&] { return iq_.Balance(1) == 101'000; }));
  json process;
  EXPECT_TRUE(Eventually(kPatience, [&] {
    process = Get("/process").Json();
    return process.value("phase", "") == "serving" && process["latency"].value("count", 0) == 1;
  })) << process;
  EXPECT_EQ(process.at("pid"), iq_.hosts()[0]->pid());
  EXPECT_THAT(process.at("faults"), IsEmpty());
  ASSERT_THAT(process.at("workers"), SizeIs(1));
  EXPECT_EQ(process["workers"].at(0).at("queue"), "billing");
  EXPECT_EQ(process["workers"].at(0).at("consuming"), true);
  const json done{{"type", "income"}, {"outcome", "done"}, {"count", 1}};
  const json& commands = process.at("commands");
  EXPECT_EQ(std::count(commands.begin(), commands.end(), done), 1) << commands;
  EXPECT_TRUE(process.at("counts").is_object());
  EXPECT_TRUE(process.at("servers").is_array());
}

TEST_F(ConsoleApiTest, TheJournalIsSearched) {
  const std::string first = NewId();
  iq_.SendWithId(first, Body("income", 1));
  iq_.SendWithId("a name", Body("income", 2));
  iq_.SendWithId("poor", Body("withdraw", 2, "900000"));
  iq_.SendWithId("moved", Body("transfer", 1, "1", R"({"userFromId":2})"));
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return iq_.store().Value("SELECT count(*) FROM iq.journal") == "4";
  })) << iq_.Log();
  const auto found = [this](const std::string& query) {
    std::vector<std::string> ids = Texts(Get("/api/commands?" + query).Json().at("commands"), "id");
    std::sort(ids.begin(), ids.end());
    return ids;
  };
  EXPECT_THAT(found(""), SizeIs(4));
  EXPECT_THAT(found("id=" + first), ElementsAre(first));
  EXPECT_THAT(found("id=a%20name"), ElementsAre("a name"));
  EXPECT_THAT(found("key=2"), ElementsAre("a name", "moved", "poor"));
  EXPECT_THAT(found("key=user:1&type=transfer"), ElementsAre("moved"));
  EXPECT_THAT(found("type=withdraw"), ElementsAre("poor"));
  EXPECT_THAT(found("outcome=rejected"), ElementsAre("poor"));
  EXPECT_THAT(found("outcome=done&key=2"), ElementsAre("a name", "moved"));
  EXPECT_THAT(found("since=2999-01-01T00:00:00Z"), IsEmpty());
  EXPECT_THAT(found("until=2999-01-01T00:00:00Z"), SizeIs(4));
  EXPECT_THAT(found("key=user:%25"), IsEmpty()) << "no pattern";
}

TEST_F(ConsoleApiTest, ACommandThatCameAgainSaysSo) {
  const std::string id = NewId();
  const auto command = [&] { return Get("/api/command?id=" + id).Json().at("command"); };
  iq_.SendWithId(id, Body("income", 1));
  ASSERT_TRUE(Eventually(kPatience, [&] { return iq_.Outcome(id) == "done"; }));
  EXPECT_EQ(command().at("repeats"), 0);
  EXPECT_TRUE(command().at("repeatedAt").is_null());
  for (int i = 0; i < 2; ++i) iq_.SendWithId(id, Body("income", 1));
  EXPECT_TRUE(Eventually(kPatience, [&] { return command().at("repeats") == 2; })) << command();
  EXPECT_TRUE(command().at("repeatedAt").is_string());
  iq_.SendWithId(id, Body("income", 2));
  iq_.ExpectDead(1);
  iq_.SendWithId(id, Body("income", 1));
  EXPECT_TRUE(Eventually(kPatience, [&] { return command().at("repeats") >= 3; })) << command();
  EXPECT_EQ(command().at("repeats"), 3) << "another body is a conflict, and no repeat";
  EXPECT_EQ(iq_.Balance(1), 101'000);
}

TEST_F(ConsoleApiTest, ATypeShowsWhatItsExamplesLock) {
  const json served = Get("/api/plugins").Json();
  EXPECT_THAT(served.at("crashes"), IsEmpty());
  const json& types = served.at("types");
  const auto transfer = std::find_if(
      types.begin(), types.end(), [](const json& type) { return type.at("type") == "transfer"; });
  ASSERT_NE(transfer, types.end()) << served;
  ASSERT_THAT(transfer->at("examples"), SizeIs(testing::Ge(1U)));
  const json& example = transfer->at("examples").at(0);
  EXPECT_EQ(example.at("body").at("type"), "transfer");
  EXPECT_THAT(example.at("locks"), SizeIs(2));
  EXPECT_TRUE(example.at("reason").is_null());
}

TEST_F(ConsoleApiTest, CrashesAreShownTheNewestFirst) {
  const auto crash = [](int pid, const std::string& id) {
    const json call{{"plugin", "p/1"}, {"call", "handle"}, {"ids", {id}}, {"commands", 1}};
    return json{{"recorder", id}, {"at", "2026-01-01T00:00:00Z"}, {"pid", pid}, {"calls", {call}}};
  };
  std::ofstream(iq_.directory() + "/var/flight/crashes") << crash(1, "older") << '\n'
                                                         << crash(2, "newer") << '\n';
  const json crashes = Get("/api/plugins").Json().at("crashes");
  ASSERT_THAT(crashes, SizeIs(2));
  EXPECT_EQ(crashes[0].at("pid"), 2);
  EXPECT_EQ(crashes[0].at("calls").at(0).at("ids"), json::array({"newer"}));
  EXPECT_EQ(crashes[1].at("pid"), 1);
}

TEST_F(ConsoleApiTest, ASearchGoesOnWhereItEnded) {
  constexpr std::size_t kCommands = 5;
  for (std::size_t i = 0; i < kCommands; ++i) iq_.SendWithId(NewId(), Body("income", 1));
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return iq_.store().Value("SELECT count(*) FROM iq.journal") == std::to_string(kCommands);
  }));
  std::vector<std::string> ids;
  std::vector<std::string> times;
  std::string next;
  for (std::size_t pages = 0; pages <= kCommands; ++pages) {
    const json page = Get("/api/commands?limit=2" + next).Json();
    for (const std::string& id : Texts(page.at("commands"), "id")) ids.push_back(id);
    for (const std::string& at : Texts(page.at("commands"), "committedAt")) times.push_back(at);
    if (page.at("next").is_null()) break;
    next = "&before=" + page.at("next").get<std::string>();
  }
  EXPECT_TRUE(std::is_sorted(times.rbegin(), times.rend())) << "the newest first";
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
  EXPECT_THAT(ids, SizeIs(kCommands));
}

TEST_F(ConsoleApiTest, ACommandIsExplainedAndNotCarriedOut) {
  const json command{{"body", Body("transfer", 1, "1", R"({"userFromId":2})")}, {"id", "mine"}};
  const Answer answer = Post("/api/explain", command);
  EXPECT_EQ(answer.status, kOk) << answer.text;
  const json said = answer.Json();
  EXPECT_EQ(said.at("verdict"), "ok");
  EXPECT_EQ(said.at("plugin"), "transfer");
  EXPECT_EQ(said.at("id"), "mine");
  EXPECT_EQ(said.at("locks"), json::array({"user:1", "user:2"}));
  for (const auto& [body, code] :
       std::vector<std::pair<std::string, std::string>>{{"{", "malformed"},
                                                        {R"({"type":"mystery"})", "unknown_type"},
                                                        {Body("income", 0), "schema"}}) {
    const json refused = Post("/api/explain", {{"body", body}}).Json();
    EXPECT_EQ(refused.at("verdict"), "refused") << body;
    EXPECT_EQ(refused.at("code"), code) << refused;
  }
  EXPECT_EQ(iq_.store().Value("SELECT count(*) FROM iq.journal"), "0");
}

TEST_F(ConsoleApiTest, ACommandIsSentAndItsOutcomeTold) {
  const std::string id = NewId();
  const json command{{"body", Body("income", 1, "5")}, {"id", id}};
  const Answer answer = Post("/api/send", command, By(kWriteToken));
  EXPECT_EQ(answer.status, kOk);
  const std::vector<json> lines = JsonLines(answer.text);
  ASSERT_THAT(lines, SizeIs(2)) << answer.text;
  const json sent{{"id", id}, {"queue", "billing"}};
  EXPECT_EQ(lines[0], json::object({{"sent", sent}}));
  EXPECT_EQ(lines[1].at("outcome").at("id"), id);
  EXPECT_EQ(lines[1]["outcome"].at("outcome"), "done");
  EXPECT_EQ(iq_.Outcome(id), "done");
  EXPECT_EQ(iq_.Balance(1), 105'000);
  EXPECT_THAT(Acts(), ElementsAre(ElementsAre("tester", "send", id, "done", "")));

  const json life = Get("/api/command?id=" + id).Json();
  EXPECT_EQ(life.at("command").at("keys"), json::array({"user:1"}));
  EXPECT_THAT(Texts(life["command"].at("events"), "event"), ElementsAre("balance.income"));
  EXPECT_THAT(life.at("letters"), IsEmpty());
  EXPECT_THAT(Texts(life.at("acts"), "who"), ElementsAre("tester"));

  const json unawaited{{"body", Body("income", 1)}, {"waitSeconds", 0}};
  const std::vector<json> waiting = JsonLines(Post("/api/send", unawaited, By(kWriteToken)).text);
  ASSERT_THAT(waiting, SizeIs(2));
  EXPECT_TRUE(waiting[1].contains("waiting")) << waiting[1];
}

TEST_F(ConsoleApiTest, ALetterThatCannotBeEditedStaysAsItIs) {
  Bury("a letter");
  const auto edit = [this](const std::string& name, const std::string& body) {
    return Post("/api/dead/edit", {{"name", name}, {"body", body}}, By(kWriteToken));
  };
  const Answer malformed = edit("a letter", "{");
  EXPECT_EQ(malformed.status, kDoesNotFit);
  EXPECT_THAT(malformed.Error(), AllOf(HasSubstr("malformed"), HasSubstr("nothing was changed")));
  EXPECT_EQ(edit("nobody", Body("withdraw", 1)).status, kDoesNotFit);
  iq_.ExpectDead(1);
  const json letter = Get("/api/dead/letter?name=a%20letter").Json().at("letters").at(0);
  EXPECT_EQ(letter.at("body"), Body("withdraw", 1, "900000"));
  EXPECT_EQ(letter.at("code"), "insufficient_funds");

  iq_.ExpectDead(1);
  EXPECT_EQ(edit("a letter", Body("withdraw", 1)).status, kOk);
  EXPECT_TRUE(Eventually(kPatience, [&] { return iq_.Balance(1) == 99'000; })) << iq_.Log();
  iq_.ExpectDead(0);
  EXPECT_THAT(Acts(), ElementsAre(ElementsAre("tester", "edit", "a letter", "failed",
                                              HasSubstr("malformed")),
                                  ElementsAre("tester", "edit", "a letter", "done", "to billing")));
}

TEST_F(ConsoleApiTest, ADryRunDropsNothing) {
  Bury("a letter");
  const Answer dry = Post("/api/dead/drop", {{"all", true}, {"dryRun", true}});
  ASSERT_EQ(dry.status, kOk) << dry.text;
  const json rehearsed = Ended(dry.Json());
  EXPECT_EQ(rehearsed.at("state"), "done");
  EXPECT_EQ(rehearsed.at("acted"), 1);
  EXPECT_THAT(Texts(rehearsed.at("groups"), "code"), ElementsAre("insufficient_funds"));
  iq_.ExpectDead(1);
  EXPECT_THAT(Acts(), IsEmpty());

  const json filter{{"codes", json::array({"schema"})}};
  const Answer none = Post("/api/dead/drop", {{"filter", filter}}, By(kWriteToken));
  EXPECT_EQ(Ended(none.Json()).at("acted"), 0);
  iq_.ExpectDead(1);
  const json names{{"names", json::array({"a letter"})}};
  const json dropped = Ended(Post("/api/dead/drop", names, By(kWriteToken)).Json());
  EXPECT_EQ(dropped.at("state"), "done");
  EXPECT_EQ(dropped.at("acted"), 1);
  iq_.ExpectDead(0);
  EXPECT_THAT(Acts(), ElementsAre(ElementsAre("tester", "drop", "", "done", "0"),
                                  ElementsAre("tester", "drop", "a letter", "done", "1")));
}

// What one look holds, another does not miss.
TEST_F(ConsoleApiTest, LooksAtTheSameTimeSeeAllLetters) {
  constexpr std::size_t kLetters = 300;
  std::vector<AmqpPublishing> letters(kLetters, {"", "billing.dead", Body("income", 1), {}});
  iq_.broker().Publish(letters);
  iq_.ExpectDead(kLetters);
  std::vector<std::future<json>> looks;
  for (int i = 0; i < 4; ++i) {
    looks.push_back(
        std::async(std::launch::async, [this] { return Get("/api/dead?limit=1000").Json(); }));
  }
  for (std::future<json>& look : looks) {
    const json seen = look.get();
    EXPECT_EQ(seen.value("size", 0U), kLetters);
    EXPECT_THAT(seen.value("letters", json::array()), SizeIs(kLetters));
  }
}

class HiddenBodiesTest : public ConsoleApiTest {
 protected:
  HiddenBodiesTest() : ConsoleApiTest("show_bodies: false") {}
};

TEST_F(HiddenBodiesTest, NothingOfABodyIsShown) {
  AmqpProperties properties;
  properties.message_id = "poor";
  properties.headers["x-own"] = "secret";
  iq_.Send(Body("withdraw", 1, "900000", R"({"note":"secret"})"), properties);
  iq_.ExpectDead(1);
  iq_.SendWithId("paid", Body("income", 1));
  ASSERT_TRUE(Eventually(kPatience, [&] { return iq_.Balance(1) == 101'000; })) << iq_.Log();

  EXPECT_EQ(Get("/api/session").Json().at("showBodies"), false);
  const Answer letters = Get("/api/dead/letter?name=poor");
  EXPECT_THAT(letters.text, Not(HasSubstr("secret")));
  const json letter = letters.Json().at("letters").at(0);
  EXPECT_TRUE(letter.at("body").is_null());
  EXPECT_TRUE(letter.at("headers").contains("x-iq-code"));
  EXPECT_FALSE(letter.at("headers").contains("x-own"));
  iq_.ExpectDead(1);
  const json command = Get("/api/command?id=paid").Json().at("command");
  ASSERT_THAT(command.at("events"), SizeIs(1));
  EXPECT_EQ(command["events"].at(0).at("event"), "balance.income");
  EXPECT_FALSE(command["events"].at(0).contains("data"));
  iq_.ExpectDead(1);
  const json edit{{"name", "poor"}, {"body", Body("withdraw", 1)}};
  EXPECT_EQ(Post("/api/dead/edit", edit, By(kWriteToken)).status, kForbidden);
  EXPECT_THAT(Acts(), IsEmpty());
}

}  // namespace
}  // namespace iq::test
