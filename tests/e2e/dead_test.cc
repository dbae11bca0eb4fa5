// The dead letters as a user deals with them: which are meant, what would be done, and how one is
// mended.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

constexpr int kDone = 0;
constexpr int kFailed = 1;

std::vector<json> JsonLines(const std::string& text) {
  std::vector<json> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  return rows;
}

std::vector<std::string> Ids(const CliResult& result) {
  EXPECT_EQ(result.status, kDone) << result.err;
  std::vector<std::string> ids;
  for (const json& row : JsonLines(result.out)) ids.push_back(row.at("id"));
  return ids;
}

// A letter as a host would have left it. Nobody has judged it.
struct Letter {
  std::string id;
  std::string code = "insufficient_funds";
  std::string type = "withdraw";
  std::string at = "2024-01-31T12:00:00.000000Z";
  std::string plugin = "withdraw/1.0.0";
  std::string outcome = "failed";
  std::string body = R"({"type":"withdraw","userId":1,"sum":5})";
  std::map<std::string, std::string> headers{};  // More of them.
};

AmqpPublishing ToPublishing(const Letter& letter) {
  AmqpPublishing publishing{.exchange = "", .key = "billing.dead", .body = letter.body};
  publishing.properties.message_id = letter.id;
  publishing.properties.headers = {{"x-iq-code", letter.code},       {"x-iq-type", letter.type},
                                   {"x-iq-at", letter.at},           {"x-iq-plugin", letter.plugin},
                                   {"x-iq-outcome", letter.outcome}, {"x-iq-queue", "billing"}};
  publishing.properties.headers.insert(letter.headers.begin(), letter.headers.end());
  return publishing;
}

constexpr const char* kEditor = "editor.sh";

InstallationOptions WithEditor() {
  InstallationOptions options;
  options.environment = {
      {"VISUAL", ""}, {"EDITOR", std::string("sh ./") + kEditor}, {"TMPDIR", "."}};
  return options;
}

// What the editor does with the file $1.
void SetEditor(const Installation& iq, const std::string& script) {
  std::ofstream(iq.directory() + "/" + kEditor) << script;
}

// An installation whose queues stand and that no host empties.
class StillDeadTest : public testing::Test {
 protected:
  explicit StillDeadTest(InstallationOptions options = WithEditor()) : iq_(std::move(options)) {
    iq_.StartHosts();
    iq_.StopHosts();
  }

  void Bury(const std::vector<Letter>& letters) {
    std::vector<AmqpPublishing> publishings;
    for (const Letter& letter : letters) publishings.push_back(ToPublishing(letter));
    iq_.broker().Publish(publishings);
    iq_.ExpectDead(letters.size());
  }

  CliResult Cli(std::size_t dead, const std::vector<std::string>& args) {
    return iq_.CliOnceDead(dead, args);
  }

  // Those of `dead` letters that pass the filter, in their order.
  std::vector<std::string> Listed(std::size_t dead, const std::vector<std::string>& filter = {}) {
    std::vector<std::string> args{"dead", "list", "--json"};
    args.insert(args.end(), filter.begin(), filter.end());
    return Ids(Cli(dead, args));
  }

  Installation iq_;
};

TEST_F(StillDeadTest, FiltersTakeWhatPassesAllOfThem) {
  Bury({{.id = "a", .code = "lock_busy", .type = "lock", .at = "2024-01-31T10:00:00Z"},
        {.id = "b", .code = "lock_busy", .at = "2024-01-31T11:00:00Z"},
        {.id = "c", .code = "sql_error", .at = "2024-01-31T12:00:00Z"},
        {.id = "d", .code = "schema", .at = ""}});
  EXPECT_THAT(Listed(4, {"--code", "lock_busy"}), ElementsAre("a", "b"));
  EXPECT_THAT(Listed(4, {"--code", "lock_busy", "--code", "sql_error", "--type", "withdraw"}),
              ElementsAre("b", "c"));
  EXPECT_THAT(Listed(4, {"--since", "2024-01-31T11:00:00Z"}), ElementsAre("b", "c"));
  EXPECT_THAT(Listed(4, {"--until", "2024-01-31T12:00:00+01:00"}), ElementsAre("a"));
  EXPECT_THAT(Listed(4, {"--since", "1h"}), IsEmpty());
  EXPECT_THAT(Listed(4, {"--type", "withdraw", "--limit", "1"}), ElementsAre("b"));

  EXPECT_EQ(Cli(4, {"dead", "drop", "--code", "sql_error"}).status, kDone);
  EXPECT_THAT(Listed(3), ElementsAre("a", "b", "d"));
  const CliResult none = Cli(3, {"dead", "drop", "--code", "sql_error"});
  EXPECT_EQ(none.status, kDone);
  EXPECT_THAT(none.err, HasSubstr("none of the 3"));
  EXPECT_THAT(Ids(Cli(3, {"dead", "retry", "--type", "withdraw", "--code", "lock_busy", "--json"})),
              ElementsAre("b"));
  EXPECT_THAT(Listed(2), ElementsAre("a", "d"));
  const CliResult passed_over = Cli(2, {"dead", "retry", "a", "d", "--code", "schema"});
  EXPECT_EQ(passed_over.status, kFailed);
  EXPECT_THAT(passed_over.err, HasSubstr("\"a\""));
  EXPECT_THAT(Listed(1), ElementsAre("a"));
}

TEST_F(StillDeadTest, GroupsAreCounted) {
  Bury({{.id = "a", .code = "lock_busy", .at = "2024-01-31T10:00:00Z"},
        {.id = "b", .code = "schema", .plugin = ""},
        {.id = "c", .code = "lock_busy", .at = "2024-01-31T09:00:00Z"}});
  const auto rows = JsonLines(Cli(3, {"dead", "list", "--group", "--json"}).out);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0], json({{"code", "lock_busy"},
                           {"type", "withdraw"},
                           {"plugin", "withdraw/1.0.0"},
                           {"count", 2},
                           {"first", "2024-01-31T09:00:00Z"},
                           {"last", "2024-01-31T10:00:00Z"}}));
  EXPECT_EQ(rows[1].at("count"), 1);
  const CliResult filtered = Cli(3, {"dead", "list", "--group", "--code", "schema"});
  EXPECT_THAT(filtered.out, AllOf(HasSubstr("COUNT"), HasSubstr("schema"), Not(HasSubstr("busy"))));
}

TEST_F(StillDeadTest, ARehearsalSaysWhatWouldBeRetriedAndChangesNothing) {
  std::vector<Letter> letters;
  std::vector<std::string> ids;
  std::vector<std::string> busy;
  for (int i = 0; i < 60; ++i) {
    const bool is_busy = i % 3 == 0;
    letters.push_back({.id = fmt::format("letter {}", i),
                       .code = is_busy ? "lock_busy" : "insufficient_funds",
                       .outcome = is_busy ? "retry" : "rejected"});
    ids.push_back(letters.back().id);
    if (is_busy) busy.push_back(ids.back());
  }
  Bury(letters);
  EXPECT_EQ(Listed(60), ids);
  EXPECT_EQ(Ids(Cli(60, {"dead", "retry", "--all", "--dry-run", "--json"})), ids);
  EXPECT_EQ(Listed(60), ids);
  const CliResult text = Cli(60, {"dead", "retry", "--code", "lock_busy", "--dry-run"});
  EXPECT_EQ(text.status, kDone);
  EXPECT_THAT(text.out, AllOf(HasSubstr("lock_busy"), HasSubstr("20"), Not(HasSubstr("funds"))));
  EXPECT_THAT(text.err, HasSubstr("20 of 60 would be retried"));
  EXPECT_EQ(Listed(60), ids);
  EXPECT_EQ(iq_.broker().Depth("billing"), 0U);

  EXPECT_EQ(Ids(Cli(60, {"dead", "retry", "--code", "lock_busy", "--json"})), busy);
  EXPECT_EQ(iq_.broker().Depth("billing"), 20U);
  const CliResult unknown = Cli(40, {"dead", "retry", busy[0], "--dry-run"});
  EXPECT_EQ(unknown.status, kFailed);
  EXPECT_THAT(unknown.err, HasSubstr(busy[0]));
}

TEST_F(StillDeadTest, AnEditedLetterIsTheMessageWithAnotherBody) {
  Letter letter{.id = "a", .headers = {{"x-own", "kept"}, {"x-iq-signature", "of another body"}}};
  AmqpPublishing publishing = ToPublishing(letter);
  publishing.properties.correlation_id = "correlation";
  publishing.properties.type = "withdraw";
  publishing.properties.reply_to = "nowhere";
  iq_.broker().Publish({publishing});
  SetEditor(iq_, R"(sed -i 's/"sum":5/"sum":1/' "$1")");
  const CliResult retried = Cli(1, {"dead", "retry", "--edit", "a", "--json"});
  EXPECT_EQ(retried.status, kDone) << retried.err;
  EXPECT_EQ(json::parse(retried.out).at("id"), "a");
  iq_.ExpectDead(0);
  const auto copies = iq_.broker().Consume("billing", 1, 20s);
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_EQ(copies[0].body, R"({"type":"withdraw","userId":1,"sum":1})");
  const AmqpProperties& properties = copies[0].properties;
  EXPECT_EQ(properties.message_id, "a");
  EXPECT_EQ(properties.correlation_id, "correlation");
  EXPECT_EQ(properties.type, "withdraw");
  EXPECT_EQ(properties.reply_to, "nowhere");
  EXPECT_EQ(properties.headers.at("x-own"), "kept");
  EXPECT_FALSE(properties.headers.contains("x-iq-signature")) << "there is no key to sign with";
  EXPECT_FALSE(properties.headers.contains("x-iq-code"));
  EXPECT_EQ(properties.headers.at("x-iq-event-index"), "1") << "command.failed has been";
}

TEST_F(StillDeadTest, WhatIsNotEditedToAnotherCommandChangesNothing) {
  const std::string body = R"({"type":"withdraw","userId":1,"sum":5,"id":"a"})";
  Bury({{.id = "", .body = body}, {.id = "twice"}, {.id = "twice", .body = "{}"}});
  for (const auto& [editor, says] : std::vector<std::pair<std::string, std::string>>{
           {"true", "was not changed"},
           {R"(echo >> "$1")", "was not changed"},
           {R"(echo '{}' > "$1"; exit 3)", "status 3"},
           {R"(echo '{"type":"withdraw",}' > "$1")", "malformed"},
           {R"(echo '{"type":"a","type":"b"}' > "$1")", "malformed"},
           {R"(echo '{"sum":1}' > "$1")", "schema"},
           {R"(: > "$1")", "malformed"},
           {R"(sed -i 's/"id":"a"/"id":"b"/' "$1")", "another \"id\""},
           {R"(rm "$1")", "cannot be read"}}) {
    SetEditor(iq_, editor);
    const CliResult result = Cli(3, {"dead", "retry", "--edit", "a"});
    EXPECT_EQ(result.status, kFailed) << editor;
    EXPECT_THAT(result.err, AllOf(HasSubstr(says), HasSubstr("nothing was changed"))) << editor;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(Listed(3), ElementsAre("a", "twice", "twice"));
  }
  const CliResult ambiguous = Cli(3, {"dead", "retry", "--edit", "twice"});
  EXPECT_EQ(ambiguous.status, kFailed);
  EXPECT_THAT(ambiguous.err, HasSubstr("sha:"));
  EXPECT_EQ(Cli(3, {"dead", "retry", "--edit", "nobody"}).status, kFailed);
  EXPECT_THAT(Cli(3, {"dead", "show", "a"}).out, HasSubstr(body));
  EXPECT_EQ(iq_.broker().Depth("billing"), 0U);
}

TEST_F(StillDeadTest, TheTextOfARefusedEditIsKept) {
  Bury({{.id = "a"}});
  SetEditor(iq_, R"(echo 'much work' > "$1")");
  const std::string said = Cli(1, {"dead", "retry", "--edit", "a"}).err;
  const auto begin = said.find("your text is in ") + std::string("your text is in ").size();
  const std::string file = said.substr(begin, said.find(';', begin) - begin);
  EXPECT_EQ(ReadFile(iq_.directory() + "/" + file), "much work\n") << said;
}

class SignedStillDeadTest : public StillDeadTest {
 protected:
  static InstallationOptions Options() {
    InstallationOptions options = WithEditor();
    options.security = "require_signature: true, keys: [new-secret, old-secret]";
    return options;
  }
  SignedStillDeadTest() : StillDeadTest(Options()) {}
};

TEST_F(SignedStillDeadTest, AnEditedLetterIsSignedAnew) {
  iq_.OpenAccount(1, 5'000);
  Bury({{.id = "a", .headers = {{"x-iq-signature", "of another body"}}}});
  SetEditor(iq_, R"(sed -i 's/"sum":5/"sum":1/' "$1")");
  const CliResult retried = Cli(1, {"dead", "retry", "--edit", "a"});
  EXPECT_EQ(retried.status, kDone) << retried.err;
  iq_.StartHosts();
  EXPECT_TRUE(Eventually(20s, [&] { return iq_.Balance(1) == 4'000; })) << iq_.Log();
  iq_.StopHosts();
}

// With a host that judges what is retried.
class JudgedDeadTest : public testing::Test {
 protected:
  JudgedDeadTest() : iq_(WithEditor()) { iq_.StartHosts(); }
  ~JudgedDeadTest() override { iq_.StopHosts(); }

  void Send(const std::string& id, const std::string& body, const std::string& event) {
    iq_.SendWithId(id, body);
    ExpectEvent(event);
  }

  void ExpectEvent(const std::string& name) {
    const auto events = iq_.NextEvents(1);
    ASSERT_EQ(events.size(), 1U) << iq_.Log();
    EXPECT_EQ(json::parse(events[0].body).at("event"), name);
    event_ids_.insert(events[0].properties.message_id);
  }

  Installation iq_;
  std::set<std::string> event_ids_;
};

TEST_F(JudgedDeadTest, AnEditedRejectionIsJudgedAnew) {
  const std::string id = NewId();
  iq_.OpenAccount(1, 1'000);
  Send(id, Body("withdraw", 1, "5"), "command.rejected");
  iq_.ExpectDead(1);
  EXPECT_EQ(iq_.Outcome(id), "rejected");
  EXPECT_EQ(iq_.Cli({"dead", "retry", id, "--dry-run"}).status, kDone);
  EXPECT_EQ(iq_.Outcome(id), "rejected") << "a rehearsal leaves the journal alone";
  iq_.ExpectDead(1);

  // In vain at first: what comes back is the edited one.
  SetEditor(iq_, R"(sed -i 's/"sum":5/"sum":4/' "$1")");
  EXPECT_EQ(iq_.Cli({"dead", "retry", "--edit", id}).status, kDone);
  ExpectEvent("command.rejected");
  iq_.ExpectDead(1);
  EXPECT_EQ(json::parse(iq_.Cli({"dead", "show", id, "--json"}).out).at("body"),
            Body("withdraw", 1, "4"));
  iq_.ExpectDead(1);

  SetEditor(iq_, R"(sed -i 's/"sum":4/"sum":1/' "$1")");
  const CliResult retried = iq_.Cli({"dead", "retry", "--edit", id, "--json"});
  EXPECT_EQ(retried.status, kDone) << retried.err;
  EXPECT_EQ(json::parse(retried.out).at("journalRowRemoved"), true);
  ExpectEvent("balance.withdraw");
  EXPECT_EQ(event_ids_.size(), 3U) << "each judgement is an event of its own";
  EXPECT_EQ(iq_.Balance(1), 0);
  EXPECT_EQ(iq_.Outcome(id), "done");
  iq_.ExpectDead(0);
}

TEST_F(JudgedDeadTest, AnIdThatTheJournalKnowsByAnotherBodyIsNotEdited) {
  const std::string id = NewId();
  iq_.OpenAccount(1, 0);
  Send(id, Body("income", 1, "1"), "balance.income");
  iq_.SendWithId(id, Body("income", 1, "2"));
  iq_.ExpectDead(1);
  SetEditor(iq_, R"(sed -i 's/"sum":2/"sum":3/' "$1")");
  const CliResult refused = iq_.Cli({"dead", "retry", "--edit", id});
  EXPECT_EQ(refused.status, kFailed);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("id_conflict"), HasSubstr("nothing was changed")));
  iq_.ExpectDead(1);

  // With the body that the journal knows it is a repetition.
  SetEditor(iq_, R"(sed -i 's/"sum":2/"sum":1/' "$1")");
  EXPECT_EQ(iq_.Cli({"dead", "retry", "--edit", id}).status, kDone);
  ExpectEvent("balance.income");
  EXPECT_EQ(event_ids_.size(), 1U);
  EXPECT_EQ(iq_.Balance(1), 1'000);
  iq_.ExpectDead(0);
}

}  // namespace
}  // namespace iq::test
