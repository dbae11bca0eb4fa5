// The page in a real browser: tests/page/*.mjs tell what a person does there, each a program; here
// is what they find, and what came of it in the queues and in the database.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/base/rfc3339.h"
#include "tests/e2e/admin_client.h"
#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/npm_packages.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::IsEmpty;
namespace fs = std::filesystem;

const fs::path kSource = IQ_SOURCE_DIR "/tests/page";
const fs::path kFolder = IQ_BINARY_DIR "/page";  // Where they are run: beside their packages.
constexpr auto kPatience = 60s;
constexpr auto kStoryPatience = 150s;

// An id that the stories give to commands.
std::string IdEndingIn(const std::string& digits) {
  return fmt::format("3f1c0000-0000-4000-8000-{:0>12}", digits);
}

class PageTest : public testing::Test {
 protected:
  // Without the packages every test here fails. Once for all suites.
  static void SetUpTestSuite() {
    static bool installed = false;
    if (std::exchange(installed, true)) return;
    InstallNpmPackages(kSource, kFolder);
    for (const fs::directory_entry& file : fs::directory_iterator(kSource)) {
      if (file.path().extension() != ".mjs") continue;
      fs::copy_file(file.path(), kFolder / file.path().filename(),
                    fs::copy_options::overwrite_existing);
    }
  }

  PageTest() {
    for (const std::int64_t user : {1, 2}) iq_.OpenAccount(user, 100'000);
  }
  ~PageTest() override { iq_.StopHosts(); }

  static InstallationOptions Options() {
    InstallationOptions options;
    options.admin = AdminSettings();
    return options;
  }

  // Starts hosts; what follows is told at the page of the first.
  void StartHosts(std::size_t count = 1) {
    iq_.StartHosts(count);
    port_ = AdminPorts(iq_).at(0);
  }

  // Runs a story to its end.
  void Tell(const std::string& file, const std::string& token = kWriteToken) {
    ProcessOptions options;
    options.directory = kFolder;
    options.stdout_file = options.stderr_file = fmt::format("{}/{}.out", iq_.directory(), file);
    Process node({"node", file, fmt::format("http://127.0.0.1:{}", port_), token}, options);
    const auto status = node.Wait(kStoryPatience);
    EXPECT_EQ(status, ExitStatus{.code = 0}) << file << ":\n" << ReadFile(options.stdout_file);
  }

  bool DeadBecome(std::size_t count) {
    return Eventually(kPatience, [&] { return iq_.DeadCount() == count; });
  }

  std::vector<TestStore::Row> Acts() {
    return iq_.store().Rows(
        "SELECT who, action, coalesce(about, ''), state FROM iq.audit ORDER BY id");
  }

  std::string Count(const std::string& table) {
    return iq_.store().Value("SELECT count(*) FROM " + table);
  }

  // What work.mjs has done.
  void ExpectWorkDone() {
    std::vector<TestStore::Row> acts{{"tester", "seed", "", "done"}};
    for (const char* digit : {"1", "2", "3", "4", "3"}) {
      EXPECT_EQ(iq_.Outcome(IdEndingIn(digit)), "done") << digit;
      acts.push_back({"tester", "send", IdEndingIn(digit), "done"});
    }
    EXPECT_TRUE(Eventually(20s, [&] { return Acts() == acts; })) << "the last is noted as it ends";
    EXPECT_EQ(iq_.Balance(1), 100'000 + 12'345 - 2'000 - 5'000);
    EXPECT_EQ(iq_.Balance(2), 100'000 + 5'000 - 2'000);
    EXPECT_EQ(Count("balance"), "199");
    EXPECT_EQ(Count("iq.journal"), "4");
    EXPECT_EQ(iq_.DeadCount(), 0U);
  }

  Installation iq_{Options()};
  int port_ = 0;
};

TEST_F(PageTest, CommandsOfEachTypeAreSentAndFound) {
  StartHosts();
  Tell("work.mjs");
  ExpectWorkDone();
}

TEST_F(PageTest, TheConsoleServesTheSamePage) {
  StartHosts(2);
  const auto console = iq_.StartCli({"console"});
  ASSERT_TRUE(Eventually(20s, [&] {
    const std::vector<int> ports = PortsIn(console->err());
    if (!ports.empty()) port_ = ports.front();
    return !ports.empty();
  })) << console->err();
  Tell("work.mjs");
  ExpectWorkDone();
  console->Signal(SIGTERM);
  const CliResult ended = console->Finish();
  EXPECT_EQ(ended.status, 0) << ended.err;
}

// Commands of a type that nobody serves, each with a body of its own. None has an id, so that they
// are retried one by one.
class MysteryTest : public PageTest {
 protected:
  // Retried for longer than the page takes to stop it.
  static constexpr std::size_t kLetters = 6'000;

  void SendMysteries() {
    std::vector<AmqpPublishing> commands;
    commands.reserve(kLetters);
    for (std::size_t i = 0; i < kLetters; ++i) {
      commands.push_back({"billing", "", Body("mystery", static_cast<std::int64_t>(i)), {}});
    }
    iq_.broker().Publish(commands);
    ASSERT_TRUE(DeadBecome(kLetters)) << iq_.DeadCount() << iq_.Log();
  }

  // Nothing is lost, and as many were judged anew as the page has said.
  void ExpectNoneLost(const std::string& retried_after, std::size_t others) {
    ASSERT_TRUE(iq_.Drained(kPatience));
    ASSERT_TRUE(DeadBecome(kLetters + others)) << iq_.DeadCount();
    std::set<std::string> bodies;
    std::size_t judged_anew = 0;
    for (const AmqpDelivery& letter :
         iq_.broker().Consume("billing.dead", kLetters + others, kPatience)) {
      const auto& headers = letter.properties.headers;
      if (headers.at("x-iq-type") != "mystery") continue;
      bodies.insert(letter.body);
      if (headers.at("x-iq-at") > retried_after) ++judged_anew;
    }
    EXPECT_EQ(bodies.size(), kLetters);
    EXPECT_EQ(iq_.store().Value("SELECT result FROM iq.audit WHERE action = $1", {"retry"}),
              std::to_string(judged_anew));
    EXPECT_GT(judged_anew, 0U);
    EXPECT_LT(judged_anew, kLetters);
  }
};

TEST_F(MysteryTest, ALetterIsMendedAndTheRetryOfALargeGroupStopped) {
  StartHosts();
  SendMysteries();
  const std::string before = Rfc3339(std::chrono::system_clock::now());
  Tell("dead_letters.mjs");
  EXPECT_EQ(iq_.Outcome(IdEndingIn("d1")), "done");
  EXPECT_EQ(iq_.Balance(1), 99'000);
  std::vector<TestStore::Row> acts;
  for (const char* digits : {"d1", "d2", "d3", "d4"}) {
    acts.push_back({"tester", "send", IdEndingIn(digits), "done"});
  }
  acts.push_back({"tester", "edit", IdEndingIn("d1"), "failed"});
  acts.push_back({"tester", "edit", IdEndingIn("d1"), "done"});
  acts.push_back({"tester", "retry", "", "stopped"});
  acts.push_back({"tester", "stop", "", "done"});
  EXPECT_EQ(Acts(), acts);
  ExpectNoneLost(before, 3);
}

TEST_F(PageTest, WithoutATokenThatMayWriteNothingIsChanged) {
  StartHosts();
  iq_.SendWithId("a letter", Body("withdraw", 1, "900000"));
  ASSERT_TRUE(DeadBecome(1)) << iq_.Log();
  Tell("refusals.mjs", kReadToken);
  EXPECT_TRUE(DeadBecome(1)) << iq_.DeadCount();
  EXPECT_TRUE(iq_.Drained(kPatience));
  EXPECT_THAT(Acts(), IsEmpty());
  EXPECT_EQ(iq_.Balance(1), 100'000);
  EXPECT_EQ(Count("balance"), "2");
  EXPECT_EQ(Count("iq.journal"), "1");
}

// With something in each view.
class FurnishedPageTest : public PageTest {
 protected:
  void SetUp() override {
    StartHosts();
    for (int i = 0; i < 10; ++i) iq_.SendWithId(NewId(), Body("income", 1 + i % 2));
    iq_.SendWithId(NewId(), Body("transfer", 1, "3", R"({"userFromId":2})"));
    iq_.SendWithId(NewId(), Body("lock", 2, "2", HoldDetails("lock", "a hold")));
    for (int i = 0; i < 3; ++i) iq_.SendWithId(NewId(), Body("withdraw", 1, "900000"));
    iq_.SendWithId(NewId(), Body("income", 0));
    iq_.SendWithId(NewId(), Body("mystery", 1));
    iq_.Send(R"({"type":"income",)");
    ASSERT_TRUE(DeadBecome(6)) << iq_.DeadCount() << iq_.Log();
    ASSERT_TRUE(iq_.Drained(kPatience));
  }
};

TEST_F(FurnishedPageTest, IsAccessibleAndQuickAndSmall) { Tell("accessibility.mjs"); }

// No test: pictures of every view for people to look at, in the folder IQ_PAGE_SCREENSHOTS. Asked
// for with --gtest_also_run_disabled_tests --gtest_filter='*Pictures*'.
TEST_F(FurnishedPageTest, DISABLED_PicturesAreTaken) { Tell("screenshots.mjs"); }

// Everything that a producer chooses is chosen to do harm.
class HostilePageTest : public PageTest {
 protected:
  // A right-to-left override, a bell, the start of a terminal's sequence, a zero-width space.
  static constexpr const char* kUnseen =
      "\xe2\x80\xae"
      "\x07"
      "\x1b"
      "[31m"
      "\xe2\x80\x8b";
  static constexpr const char* kMarkup = R"(<img src=x onerror="window.__pwned=1">)";

  static std::string Evil() { return std::string(kMarkup) + kUnseen; }

  static AmqpPublishing Command(const std::string& id, const std::string& body) {
    const std::string script = "<script>window.__pwned=1</script>" + Evil();
    AmqpPublishing command{"billing", "", body, {}};
    AmqpProperties& properties = command.properties;
    if (!id.empty()) properties.message_id = id + ' ' + Evil();
    properties.correlation_id = properties.type = properties.app_id = script;
    properties.content_type = properties.content_encoding = properties.reply_to = Evil();
    properties.headers = {
        {"x-note", Evil()}, {"x-script", script}, {std::string("x-") + kMarkup, Evil()}};
    return command;
  }

  // As if a process had died in a plugin's hands.
  void RememberCrash() {
    const json call{{"plugin", Evil()}, {"call", "handle"}, {"ids", {Evil()}}, {"commands", 1}};
    const json crash{{"recorder", Evil()}, {"at", Evil()}, {"pid", 1}, {"calls", {call}}};
    std::ofstream(iq_.directory() + "/var/flight/crashes") << crash << '\n';
  }

  // Three that the journal has; of these the last is rejected.
  static std::vector<AmqpPublishing> Judged() {
    const auto hold = [](const char* event) {
      json body = json::object({{"type", "lock"}, {"userId", 1}, {"sum", 1}});
      body["details"] = json::object({{"event", event}, {"uuid", Evil()}});
      return body;
    };
    json income = json::object({{"type", "income"}, {"userId", 1}, {"sum", 1}});
    income["details"][Evil()] = Evil();
    json unknown = hold("withdraw");
    unknown["details"]["uuid"] = "no hold " + Evil();
    return {Command("income", income.dump()), Command("hold", hold("lock").dump()),
            Command("no hold", unknown.dump())};
  }

  // Seven that become dead letters unjudged.
  static std::vector<AmqpPublishing> Unjudged() {
    constexpr std::size_t kLarge = std::size_t{1024} * 1024;
    std::string large;
    while (large.size() < kLarge) large += kMarkup;
    json schema = json::object({{"type", "income"}, {"userId", Evil()}, {"sum", Evil()}});
    schema[Evil()] = Evil();
    return {Command("unknown type", json::object({{"type", Evil()}}).dump()),
            Command("schema", schema.dump()),
            Command("malformed", "{\"type\": " + Evil()),
            Command("without a type", json::object({{Evil(), Evil()}}).dump()),
            Command("large", large),
            Command("no UTF-8", "\xff\xfe" + Evil()),
            Command("", json::object({{"type", "nothing"}, {"id", Evil()}}).dump())};
  }
};

TEST_F(HostilePageTest, IsTextAndChangesNothing) {
  StartHosts();
  iq_.broker().Publish(Judged());
  iq_.broker().Publish(Unjudged());
  ASSERT_TRUE(DeadBecome(8)) << iq_.DeadCount() << iq_.Log();
  ASSERT_TRUE(Eventually(kPatience, [&] { return Count("iq.journal") == "3"; })) << iq_.Log();
  RememberCrash();
  Tell("hostile.mjs");
  EXPECT_TRUE(DeadBecome(9)) << "the story sends one itself";
  const std::vector<TestStore::Row> acts = Acts();
  ASSERT_EQ(acts.size(), 1U);
  EXPECT_EQ(acts[0][1], "send");
}

}  // namespace
}  // namespace iq::test
