// Commands that bring down the process they run in: none does it more than twice, and no other
// command comes to harm.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/plugin_folder.h"
#include "tests/support/eventually.h"
#include "tests/support/soak.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

constexpr std::int64_t kFirstUser = 1;

struct Poison {
  const char* type;
  const char* how;
};

constexpr std::array kPoisons{
    Poison{"crash.single", "null"},   Poison{"crash.single", "null"},
    Poison{"crash.single", "abort"},  Poison{"crash.single", "abort"},
    Poison{"crash.single", "exit"},   Poison{"crash.single", "exit"},
    Poison{"crash.single", "kill"},   Poison{"crash.single", "kill"},
    Poison{"crash.single", "stack"},  Poison{"crash.single", "memory"},
    Poison{"crash.single", "loop"},   Poison{"crash.batched", "null"},
    Poison{"crash.batched", "abort"}, Poison{"crash.batched", "exit"},
    Poison{"crash.batched", "kill"},  Poison{"crash.batched", "loop"},
    Poison{"crash.batched", "stack"}, Poison{"crash.planned", "null"},
    Poison{"crash.planned", "kill"},  Poison{"crash.planned", "loop"},
};

constexpr std::ptrdiff_t kPrefetch = 300;

// At a soak, a hundred of each kind that the kernel, the plugin itself or the watchdog ends.
std::vector<Poison> Poisons() {
  if (!Soaking()) return {kPoisons.begin(), kPoisons.end()};
  constexpr int kOfEach = 100;
  std::vector<Poison> poisons;
  for (int i = 0; i < kOfEach; ++i) {
    for (const char* how : {"null", "loop", "abort", "memory"}) {
      poisons.push_back({"crash.single", how});
    }
  }
  return poisons;
}

class CrashTest : public testing::Test {
 protected:
  CrashTest() {
    InstallationOptions options;
    options.plugins = plugins_.path();
    options.limits = "deadline: 300ms";
    // The keys of a dead process are free again before anybody gives up waiting for them.
    options.locks = "lease: 800ms, wait: 20s";
    options.consumer = fmt::format("prefetch: {}, ", kPrefetch);
    iq_ = std::make_unique<Installation>(options);
  }

  Installation& iq() { return *iq_; }

  // A user of its own for each command, so that nothing waits for anything else.
  AmqpPublishing Command(const std::string& type, const std::string& details = "{}") {
    const std::int64_t user = next_user_++;
    iq().OpenAccount(user, 0);
    AmqpPublishing publishing{"billing", "", Body(type, user, "1", details), {}};
    publishing.properties.message_id = NewId();
    return publishing;
  }

  void Launch() { iq().LaunchHost({"sh", "-c", R"(ulimit -c 0; exec "$@")", "sh"}); }

  // As a supervisor would: starts a new host for each that ends, until `done`.
  template <typename F>
  void SuperviseUntil(std::chrono::seconds deadline, F done) {
    const bool in_time = Eventually(deadline, [&] {
      auto& hosts = iq().hosts();
      const auto ended = std::erase_if(hosts, [](const auto& host) { return !host->running(); });
      for (std::size_t i = 0; i < ended; ++i) Launch();
      deaths_ += ended;
      return done();
    });
    ASSERT_TRUE(in_time) << iq().Log();
  }

  std::size_t Done(const std::set<std::string>& ids) {
    return std::stoul(iq().store().Value(
        "SELECT count(*) FROM iq.journal WHERE outcome = 'done' AND message_id IN " +
        SqlList({ids.begin(), ids.end()})));
  }

  // The log's lines that tell of a death, as JSON.
  std::vector<json> Deaths() const {
    std::vector<json> deaths;
    std::istringstream lines(iq_->Log());
    for (std::string line; std::getline(lines, line);) {
      json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!record.is_object()) continue;
      const std::string message = record.value("message", "");
      if (message.find(" died in ") != std::string::npos) deaths.push_back(std::move(record));
    }
    return deaths;
  }

  void ExpectCrashed(const AmqpDelivery& dead) {
    const auto& headers = dead.properties.headers;
    EXPECT_EQ(headers.at("x-iq-code"), "crashed");
    EXPECT_EQ(headers.at("x-iq-outcome"), "failed");
    EXPECT_EQ(headers.at("x-iq-plugin"), "crash/1.2.3");
    EXPECT_EQ(headers.at("x-iq-attempts"), "2");
    EXPECT_THAT(headers.at("x-iq-reason"), AllOf(HasSubstr("crash/1.2.3"), HasSubstr("pid ")));
  }

  // Nothing is held against anybody who is not decided, and only the living have recorders.
  void ExpectFolderClean() {
    const auto clean = [&] {
      std::size_t recorders = 0;
      std::size_t suspects = 0;
      for (const auto& entry :
           std::filesystem::directory_iterator(iq().directory() + "/var/flight")) {
        if (entry.path().extension() == ".recorder") ++recorders;
        const bool suspect = entry.path().extension() == ".suspect";
        if (suspect && !ReadFile(entry.path()).ends_with("decided\n")) ++suspects;
      }
      return suspects == 0 && recorders == iq().hosts().size();
    };
    EXPECT_TRUE(Eventually(10s, clean));
  }

  std::size_t deaths_ = 0;

 private:
  PluginFolder plugins_{"crash.so"};
  std::unique_ptr<Installation> iq_;
  std::int64_t next_user_ = kFirstUser;
};

// `poisons` among innocents of several types, in the order in which they are sent.
struct Load {
  std::vector<AmqpPublishing> all;
  std::set<std::string> poisons;
  std::set<std::string> innocents;
};

class CrashLoadTest : public CrashTest {
 protected:
  // One in fifteen is a poison.
  Load MakeLoad(const std::vector<Poison>& poisons) {
    constexpr std::array kInnocents{"income", "income", "crash.batched", "crash.single"};
    constexpr std::size_t every = 15;
    Load load;
    for (std::size_t i = 0; i < poisons.size() * every; ++i) {
      const bool poison = i % every == every / 2;
      if (poison) {
        const auto& [type, how] = poisons[i / every];
        load.all.push_back(Command(type, json{{"how", how}}.dump()));
      } else {
        load.all.push_back(Command(kInnocents[i % kInnocents.size()]));
      }
      (poison ? load.poisons : load.innocents).insert(load.all.back().properties.message_id);
    }
    return load;
  }

  void ExpectAllEnds(const Load& load) {
    // More than one copy where a process died before its acks were through.
    const auto letters = iq().broker().Consume("billing.dead", iq().DeadCount(), 20s);
    std::set<std::string> dead_ids;
    for (const AmqpDelivery& dead : letters) {
      dead_ids.insert(dead.properties.message_id);
      ExpectCrashed(dead);
    }
    EXPECT_EQ(dead_ids, load.poisons);
    // A rolled back touch of a poison would show as well.
    EXPECT_EQ(iq().store().Value("SELECT count(*) FROM balance WHERE sum NOT IN (0, 1, 1000)"),
              "0");
    EXPECT_EQ(iq().store().Value("SELECT count(*) FROM balance WHERE sum > 0"),
              std::to_string(load.innocents.size()));
    std::set<std::string> failed;
    for (const AmqpDelivery& event : iq().NextEvents(iq().EventsWaiting())) {
      if (event.key == "command.failed") failed.insert(json::parse(event.body)["commandId"]);
    }
    EXPECT_EQ(failed, load.poisons);
  }

  // Each poison twice, and no innocent more than once: from then on it runs alone.
  void ExpectDeathsOf(const Load& load) {
    const std::vector<json> deaths = Deaths();
    EXPECT_EQ(deaths.size(), deaths_) << "a death is told once";
    for (const json& death : deaths) {
      EXPECT_EQ(death["level"], "error");
      EXPECT_THAT(death["message"].get<std::string>(), HasSubstr("crash/1.2.3"));
    }
    const auto count = [&](const std::string& id) {
      return std::count_if(deaths.begin(), deaths.end(), [&](const json& death) {
        return death["message"].get<std::string>().find(id) != std::string::npos;
      });
    };
    for (const std::string& id : load.poisons) EXPECT_EQ(count(id), 2) << id;
    for (const std::string& id : load.innocents) EXPECT_LE(count(id), 1) << id;
  }

  void RunToTheEnd(const Load& load) {
    Launch();
    ASSERT_TRUE(Eventually(20s, [&] { return iq().broker().Consumers("billing") == 1; }));
    const auto held = load.all.begin() + std::min<std::ptrdiff_t>(kPrefetch, std::ssize(load.all));
    iq().SendTogether({load.all.begin(), held});
    iq().broker().Publish({held, load.all.end()});
    SuperviseUntil(Soaking() ? 1800s : 100s, [&] {
      return iq().DeadCount() >= load.poisons.size() &&
             Done(load.innocents) == load.innocents.size() && iq().Drained(0s);
    });
    ExpectAllEnds(load);
    ExpectDeathsOf(load);
    ExpectFolderClean();
    iq().StopHosts();
  }
};

TEST_F(CrashLoadTest, PoisonsAmongInnocentsBringDownTwoProcessesEachAtMost) {
  const Load load = MakeLoad(Poisons());
  RunToTheEnd(load);
  EXPECT_LE(deaths_, 2 * load.poisons.size());
}

// All of them in one call of HandleBatch, where the profile has that: only the first death is
// shared.
TEST_F(CrashLoadTest, WhoeverWasInTheSameCallRunsAloneAfterwards) {
  Load load;
  for (int i = 0; i < 40; ++i) {
    const bool poison = i % 10 == 5;
    load.all.push_back(Command("crash.batched", poison ? R"({"how":"abort"})" : "{}"));
    (poison ? load.poisons : load.innocents).insert(load.all.back().properties.message_id);
  }
  RunToTheEnd(load);
}

// Whoever gets it next knows of the death that another one has seen.
TEST_F(CrashTest, SeveralProcessesShareWhatTheyKnow) {
  for (int i = 0; i < 3; ++i) Launch();
  ASSERT_TRUE(Eventually(20s, [&] { return iq().broker().Consumers("billing") == 3; }));
  std::set<std::string> innocents;
  std::vector<AmqpPublishing> all;
  for (int i = 0; i < 60; ++i) {
    all.push_back(Command("income"));
    innocents.insert(all.back().properties.message_id);
  }
  const AmqpPublishing poison = Command("crash.single", R"({"how":"kill"})");
  all.insert(all.begin() + 30, poison);
  iq().broker().Publish(all);
  SuperviseUntil(60s, [&] { return iq().DeadCount() == 1 && Done(innocents) == innocents.size(); });
  EXPECT_TRUE(iq().Drained(20s));
  EXPECT_EQ(deaths_, 2U);
  const auto deaths = Deaths();
  ASSERT_THAT(deaths, SizeIs(2));
  for (const json& death : deaths) {
    EXPECT_EQ(death["id"], poison.properties.message_id);
    EXPECT_EQ(death["plugin"], "crash/1.2.3");
  }
  ExpectCrashed(iq().NextDead());
  ExpectFolderClean();
  std::size_t remembered = 0;
  std::ifstream crashes(iq().directory() + "/var/flight/crashes");
  for (std::string line; std::getline(crashes, line); ++remembered) {
    const json call = json::parse(line).at("calls").at(0);
    EXPECT_EQ(call.at("plugin"), "crash/1.2.3");
    EXPECT_THAT(call.at("ids"), Contains(poison.properties.message_id));
  }
  EXPECT_EQ(remembered, 2U);
  iq().StopHosts();
}

// Two more deaths, and then, once the plugin is mended, none.
TEST_F(CrashTest, ACrashedCommandThatIsRetriedStartsAnew) {
  const std::string mended = iq().directory() + "/mended";
  Launch();
  ASSERT_TRUE(Eventually(20s, [&] { return iq().broker().Consumers("billing") == 1; }));
  const AmqpPublishing poison =
      Command("crash.single", json{{"how", "abort"}, {"mended", mended}}.dump());
  const std::string& id = poison.properties.message_id;
  iq().broker().Publish({poison});
  SuperviseUntil(30s, [&] { return iq().DeadCount() == 1; });
  EXPECT_EQ(deaths_, 2U);

  EXPECT_EQ(iq().Cli({"dead", "retry", id}).status, 0);
  SuperviseUntil(30s, [&] { return deaths_ == 4 && iq().DeadCount() == 1; });

  std::ofstream(mended) << "yes";
  EXPECT_EQ(iq().Cli({"dead", "retry", id}).status, 0);
  SuperviseUntil(30s, [&] { return iq().Outcome(id) == "done"; });
  EXPECT_EQ(deaths_, 4U);
  EXPECT_EQ(iq().DeadCount(), 0U);
  EXPECT_EQ(iq().Balance(kFirstUser), 1);
  ExpectFolderClean();
  iq().StopHosts();
}

// A warning at the limit, with everything in it, before the process is ended.
TEST_F(CrashTest, AHandlerThatDoesNotComeBackIsNamedBeforeTheEnd) {
  Launch();
  ASSERT_TRUE(Eventually(20s, [&] { return iq().broker().Consumers("billing") == 1; }));
  const AmqpPublishing poison = Command("crash.single", R"({"how":"loop"})");
  iq().broker().Publish({poison});
  SuperviseUntil(30s, [&] { return iq().DeadCount() == 1; });
  std::vector<std::string> said;
  std::istringstream lines(iq().Log());
  for (std::string line; std::getline(lines, line);) {
    const json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (record.is_object() && record.value("id", "") == poison.properties.message_id &&
        record.value("plugin", "") == "crash/1.2.3") {
      said.push_back(record["message"]);
    }
  }
  EXPECT_THAT(said, Contains(HasSubstr("longer than limits.deadline")).Times(2));
  EXPECT_THAT(said, Contains(HasSubstr("longer than twice limits.deadline")).Times(2));
  iq().StopHosts();
}

// The recorder is a help, not a condition.
TEST_F(CrashTest, WithoutAFolderTheHostRunsAndSaysWhatItLacks) {
  std::filesystem::create_directories(iq().directory() + "/var");
  std::ofstream(iq().directory() + "/var/flight") << "in the way";
  Launch();
  ASSERT_TRUE(Eventually(20s, [&] { return iq().broker().Consumers("billing") == 1; }));
  const AmqpPublishing command = Command("income");
  iq().broker().Publish({command});
  EXPECT_TRUE(
      Eventually(20s, [&] { return iq().Outcome(command.properties.message_id) == "done"; }));
  EXPECT_THAT(iq().Log(), HasSubstr("plugins.flight_recorder: var/flight cannot be written"));
  iq().StopHosts();
}

}  // namespace
}  // namespace iq::test
