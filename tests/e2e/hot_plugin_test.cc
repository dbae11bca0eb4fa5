// Plugins that are dropped in, replaced and taken away while a host works.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/load.h"
#include "tests/e2e/plugin_folder.h"
#include "tests/support/eventually.h"
#include "tests/support/soak.h"

namespace iq::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = 60s;
constexpr const char* kType = "test.swap";
constexpr std::int64_t kUser = 1;

class HotPluginTest : public testing::Test {
 protected:
  void Start(const std::string& consumer, const std::string& retry = InstallationOptions{}.retry) {
    InstallationOptions options;
    options.locks = "lease: 4s, wait: 20s";  // The keys of a dead process are free before that.
    options.plugins = plugins_.path();
    options.consumer = consumer;
    options.retry = retry;
    iq_ = std::make_unique<Installation>(options);
    iq_->OpenAccount(kUser, 0);
    iq_->StartHosts();
  }

  Installation& iq() { return *iq_; }
  fs::path Path(const std::string& name = "swap.so") const { return plugins_.path() / name; }

  // Puts a test plugin there, at once and whole. `more` makes different contents of the same
  // plugin.
  void Put(const std::string& built, const std::string& name = "swap.so",
           const std::string& more = "") {
    const fs::path unfinished = Path("." + name);
    fs::copy_file(kTestPlugins + built + ".so", unfinished);
    std::ofstream(unfinished, std::ios::app) << more;
    fs::rename(unfinished, Path(name));
  }

  void PutForAnotherMachine(const std::string& built) {
    constexpr std::size_t kMachineAt = 18;  // ELF's e_machine.
    constexpr char kMips = 8;
    std::string bytes = ReadFile(kTestPlugins + built + ".so");
    bytes.at(kMachineAt) = kMips;
    std::ofstream(Path(".other"), std::ios::binary) << bytes;
    fs::rename(Path(".other"), Path());
  }

  // Lines of the log that have all of `texts`.
  std::size_t Lines(const std::vector<std::string>& texts) {
    std::istringstream log(iq().Log());
    std::size_t count = 0;
    for (std::string line; std::getline(log, line);) {
      count += std::all_of(texts.begin(), texts.end(), [&](const std::string& text) {
        return line.find(text) != std::string::npos;
      });
    }
    return count;
  }

  bool Says(const std::vector<std::string>& texts, std::chrono::milliseconds within = kPatience) {
    return Eventually(within, [&] { return Lines(texts) != 0; });
  }

  // Sends a command and waits for the event that says who carried it out.
  std::string ServedBy(const std::string& type = kType) {
    iq().SendWithId(NewId(), Body(type, kUser));
    const auto events = iq().NextEvents(1);
    return events.empty() ? "nobody" : json::parse(events[0].body)["data"]["version"];
  }

  // What `iq plugins` shows of a file. Null when it has no row, or several.
  json Row(const std::string& name = "swap.so") {
    json found;
    std::istringstream lines(iq().Cli({"plugins", "--json"}).out);
    for (std::string line; std::getline(lines, line);) {
      json row = json::parse(line);
      if (row.at("file") != Path(name).string()) continue;
      if (!found.is_null()) return nullptr;
      found = std::move(row);
    }
    return found;
  }

  // Waits until `iq plugins` shows all of `cells` of a file.
  testing::AssertionResult Shows(const json& cells, const std::string& name = "swap.so") {
    json row;
    const bool shown = Eventually(kPatience, [&] {
      row = Row(name);
      if (row.is_null()) return false;
      json as_expected = row;
      as_expected.update(cells);
      return as_expected == row;
    });
    if (shown) return testing::AssertionSuccess();
    return testing::AssertionFailure() << row << " and not " << cells << '\n' << iq().Log();
  }

  // Does `mishap`, and expects one line of the log about the file with `text`, and that the version
  // before serves on.
  template <typename Mishap>
  void ExpectRefused(const std::string& text, Mishap mishap) {
    SCOPED_TRACE(text);
    const std::vector<std::string> line{"plugin refused: " + Path().string(), text};
    mishap();
    EXPECT_TRUE(Says(line)) << iq().Log();
    EXPECT_EQ(ServedBy(), "1.0.0");
    EXPECT_EQ(Lines(line), 1U) << iq().Log();
  }

  PluginFolder plugins_;
  std::unique_ptr<Installation> iq_;
};

TEST_F(HotPluginTest, ANewTypeIsServedWithinASecondUnderLoad) {
  Start("workers: 2, ");
  Load load(iq());
  load.Publish(5000);
  const auto dropped = Clock::now();
  Put("swap_1");
  ASSERT_TRUE(Says({"swap/1.0.0", "serves type", "test.swap"}));
  const auto taken = Clock::now() - dropped;
  const std::string id = NewId();
  iq().SendWithId(id, Body(kType, kUser));
  EXPECT_TRUE(Eventually(kPatience, [&] { return iq().Outcome(id) == "done"; })) << iq().Log();
  EXPECT_LT(taken, 1s);
  RecordProperty("dropped_to_served_ms", static_cast<int>(taken / 1ms));
  EXPECT_EQ(iq().Balance(kUser), 1000);
  ASSERT_TRUE(load.Reaches(load.published(), kPatience));
  load.ExpectEffectsOf(load.published());
  iq().StopHosts();
}

// Every command is carried out once, and by one generation as a whole.
TEST_F(HotPluginTest, ReplacedAgainAndAgainUnderLoadNothingIsLostOrRepeated) {
  const int replacements = Soaking() ? 300 : 50;
  Put("swap_1");
  Start("workers: 4, batch: 16, prefetch: 32, ");
  LoadOptions swaps;
  swaps.type = kType;
  // Long and contended enough for generations to change while commands are in hand.
  swaps.details = R"({"ms":4})";
  swaps.users = 8;
  Load load(iq(), swaps);
  for (int i = 1; i <= replacements; ++i) {
    load.Publish(60);
    Put(i % 2 == 0 ? "swap_1" : "swap_2", "swap.so", std::to_string(i));
    ASSERT_TRUE(Says({fmt::format("(generation {},", i + 1), "replaces"})) << iq().Log();
  }
  load.ExpectEachOnce(kPatience);
  EXPECT_EQ(load.SeeWaitingEvents(), load.published()) << "a command was carried out again";
  iq().StopHosts();

  std::map<std::string, std::size_t> by_version;
  for (const auto& row :
       iq().store().Rows("SELECT plugin, events FROM iq.journal WHERE type = 'test.swap'")) {
    const json event = json::parse(row[1])[0];
    const json& data = event.contains("body")
                           ? json::parse(event["body"].get<std::string>())["data"]
                           : event["data"];
    const std::string version = data["version"];
    EXPECT_EQ(row[0], "swap/" + version);
    EXPECT_EQ(data["madeBy"], version);
    EXPECT_EQ(data["plannedBy"], version);
    ++by_version[version];
  }
  EXPECT_GT(by_version["1.0.0"], 100U);
  EXPECT_GT(by_version["2.0.0"], 100U);
}

TEST_F(HotPluginTest, WhateverComesInItsPlaceTheOldOneServesOn) {
  Put("swap_1");
  Start("");
  EXPECT_EQ(ServedBy(), "1.0.0");
  ExpectRefused("it crashed: loading it", [&] { Put("swap_crash"); });
  ExpectRefused("making a handler for \\\"test.swap\\\" hangs", [&] { Put("swap_hang"); });
  ExpectRefused("ABI major", [&] { Put("swap_major"); });
  ExpectRefused("update the host", [&] { Put("swap_minor"); });
  ExpectRefused("making a handler for \\\"listen.ears\\\" ends in", [&] { Put("listen_crash"); });
  ExpectRefused("another machine", [&] { PutForAnotherMachine("swap_2"); });
  ExpectRefused("it does not export", [&] { Put("no_entry"); });
  // In place, as cp does it: what is mapped is not this file.
  ExpectRefused("is too short", [&] { std::ofstream(Path()) << "a shopping list\n"; });
  ExpectRefused("truncated", [&] {
    fs::copy_file(kTestPlugins + std::string("swap_2.so"), Path(),
                  fs::copy_options::overwrite_existing);
    fs::resize_file(Path(), 4096);
  });
  ExpectRefused("may be written by others", [&] {
    Put("swap_2");
    fs::permissions(Path(), fs::perms::all);
  });
  iq().StopHosts();
}

TEST_F(HotPluginTest, ACopyOverTheFileARenameAndALinkAreAllReplacements) {
  Put("swap_1");
  Start("");
  EXPECT_EQ(ServedBy(), "1.0.0");
  fs::copy_file(kTestPlugins + std::string("swap_2.so"), Path(),
                fs::copy_options::overwrite_existing);
  ASSERT_TRUE(Says({"(generation 2,", "replaces"})) << iq().Log();
  EXPECT_EQ(ServedBy(), "2.0.0");
  Put("swap_1");
  ASSERT_TRUE(Says({"(generation 3,", "replaces"})) << iq().Log();
  EXPECT_EQ(ServedBy(), "1.0.0");
  fs::create_symlink(kTestPlugins + std::string("swap_2.so"), Path(".link"));
  fs::rename(Path(".link"), Path());
  ASSERT_TRUE(Says({"(generation 4,", "replaces"})) << iq().Log();
  EXPECT_EQ(ServedBy(), "2.0.0");
  iq().StopHosts();
}

TEST_F(HotPluginTest, OfTwoFilesWithOneTypeTheSecondWaitsForItsTurn) {
  Put("swap_1");
  Start("");
  Put("swap_2", "second.so");
  const std::vector<std::string> line{"plugin refused: " + Path("second.so").string(),
                                      "is already served by " + Path().string()};
  ASSERT_TRUE(Says(line)) << iq().Log();
  EXPECT_EQ(ServedBy(), "1.0.0");
  fs::remove(Path());
  ASSERT_TRUE(Says({"swap/2.0.0", "serves type", "test.swap"})) << iq().Log();
  EXPECT_EQ(ServedBy(), "2.0.0");
  EXPECT_EQ(Lines(line), 1U);
  iq().StopHosts();
}

TEST_F(HotPluginTest, CommandsWhosePluginIsGoneWaitForItAndAreNotDroppedIfItStaysAway) {
  Put("swap_1");
  Start("", "attempts: 3, delays: [100ms, 3s]");
  EXPECT_EQ(ServedBy(), "1.0.0");
  fs::remove(Path());
  ASSERT_TRUE(Says({"is gone with its file", kType})) << iq().Log();
  const std::string patient = NewId();
  iq().SendWithId(patient, Body(kType, kUser));
  ASSERT_TRUE(Says({"retry (unknown_type)", "attempt 2 of 3", patient})) << iq().Log();
  Put("swap_2");
  EXPECT_TRUE(Eventually(kPatience, [&] { return iq().Outcome(patient) == "done"; })) << iq().Log();
  EXPECT_EQ(iq().Balance(kUser), 2000);

  fs::remove(Path());
  ASSERT_TRUE(Says({"swap/2.0.0", "is gone with its file"})) << iq().Log();
  const std::string id = NewId();
  iq().SendWithId(id, Body(kType, kUser));
  const AmqpDelivery dead = iq().NextDead();
  EXPECT_EQ(dead.properties.message_id, id);
  EXPECT_EQ(dead.properties.headers.at("x-iq-code"), "unknown_type");
  EXPECT_EQ(dead.properties.headers.at("x-iq-attempts"), "3");
  EXPECT_EQ(iq().Balance(kUser), 2000);
  iq().StopHosts();
}

TEST_F(HotPluginTest, AVersionThatFailsItsFirstCommandsGivesWayToTheOneBefore) {
  Put("swap_1");
  Start("", "attempts: 3, delays: [1500ms]");
  for (std::int64_t user = 2; user <= 4; ++user) iq().OpenAccount(user, 0);
  EXPECT_EQ(ServedBy(), "1.0.0");
  Put("swap_throw");
  ASSERT_TRUE(Says({"swap/5.0.0", "replaces"})) << iq().Log();
  std::vector<std::string> ids;
  for (std::int64_t user = 2; user <= 4; ++user) {
    ids.push_back(NewId());
    iq().SendWithId(ids.back(), Body(kType, user));
  }
  ASSERT_TRUE(Says({"plugin rolled back", "swap/5.0.0", "swap/1.0.0"})) << iq().Log();
  EXPECT_EQ(ServedBy(), "1.0.0");
  for (const std::string& id : ids) {
    EXPECT_TRUE(Eventually(kPatience, [&] { return iq().Outcome(id) == "done"; })) << iq().Log();
  }
  EXPECT_EQ(Lines({"plugin rolled back"}), 1U);
  EXPECT_EQ(iq().DeadCount(), 0U);
  iq().StopHosts();
}

// Restarted by a supervisor, which knows nothing of plugins.
TEST_F(HotPluginTest, AVersionInWhichProcessesDieGivesWayToTheOneBefore) {
  Put("swap_1");
  Start("");
  EXPECT_EQ(ServedBy(), "1.0.0");
  Put("swap_die");
  ASSERT_TRUE(Says({"swap/5.1.0", "replaces"})) << iq().Log();
  const std::string id = NewId();
  iq().SendWithId(id, Body(kType, kUser));
  for (int deaths = 0; deaths < 2; ++deaths) {
    auto& hosts = iq().hosts();
    ASSERT_TRUE(Eventually(kPatience, [&] { return !hosts.back()->running(); })) << iq().Log();
    hosts.clear();
    iq().LaunchHost();
  }
  EXPECT_TRUE(Says({"plugin rolled back", "swap/5.1.0", "swap/1.0.0"})) << iq().Log();
  EXPECT_EQ(iq().NextDead().properties.headers.at("x-iq-code"), "crashed");
  iq().NextEvents(1);  // That it failed.
  EXPECT_EQ(ServedBy(), "1.0.0");
  iq().StopHosts();
}

TEST_F(HotPluginTest, PluginsShowsWhatTheHostsServeAndWhatBecameOfTheCommands) {
  Put("swap_1");
  Start("");
  iq().StartHosts();
  EXPECT_TRUE(Shows({{"processes", 2}, {"generation", 1}, {"version", "1.0.0"}, {"done", 0}}));

  const std::string twice = NewId();
  iq().SendWithId(twice, Body(kType, kUser));
  EXPECT_EQ(iq().NextEvents(1).size(), 1U);
  iq().SendWithId(twice, Body(kType, kUser));
  EXPECT_EQ(iq().NextEvents(1).size(), 1U) << "the journal's answer, which counts for nobody";
  EXPECT_EQ(ServedBy(), "1.0.0");
  iq().SendWithId(NewId(), Body("withdraw", kUser, "1000"));
  EXPECT_EQ(iq().NextEvents(1).size(), 1U);
  EXPECT_TRUE(Shows({{"done", 2}, {"rejected", 0}, {"failed", 0}, {"retried", 0}}));
  EXPECT_FALSE(Eventually(1500ms, [&] { return Row().at("done") != 2; })) << Row();
  EXPECT_TRUE(Shows({{"done", 0}, {"rejected", 1}, {"processes", 2}}, "withdraw.so"));

  Put("swap_2");
  EXPECT_TRUE(Shows({{"processes", 2}, {"generation", 2}, {"version", "2.0.0"}, {"done", 0}}));
  EXPECT_EQ(ServedBy(), "2.0.0");
  EXPECT_TRUE(Shows({{"state", "serves"},
                     {"types", {kType}},
                     {"done", 1},
                     {"rejected", 0},
                     {"failed", 0},
                     {"reason", nullptr}}));
  iq().StopHosts();
}

TEST_F(HotPluginTest, PluginsShowsARefusedFileBesideWhatServesOnInItsPlace) {
  Put("swap_1");
  Start("");
  EXPECT_TRUE(Shows({{"state", "serves"}}));
  Put("swap_major");
  ASSERT_TRUE(Says({"plugin refused: " + Path().string(), "ABI major"})) << iq().Log();
  CliResult shown;
  EXPECT_TRUE(Eventually(kPatience, [&] {
    shown = iq().Cli({"plugins"});
    return shown.err.find("ABI major") != std::string::npos;
  })) << shown.err;
  EXPECT_EQ(shown.status, 0);
  EXPECT_THAT(shown.out, testing::HasSubstr("refused"));
  EXPECT_TRUE(Row().is_null()) << "one row for what serves, one for what does not";
  EXPECT_EQ(ServedBy(), "1.0.0");
  iq().StopHosts();
}

TEST_F(HotPluginTest, PluginsKnowsTheDeadFromTheLiving) {
  Put("swap_1");
  Start("");
  iq().StartHosts();
  EXPECT_TRUE(Shows({{"processes", 2}}));
  iq().hosts().front()->Kill9();
  EXPECT_EQ(Row().at("processes"), 1);
  iq().hosts().erase(iq().hosts().begin());
  iq().StopHosts();
  const CliResult alone = iq().Cli({"plugins", "--json"});
  EXPECT_EQ(alone.status, 0);
  EXPECT_THAT(alone.err, testing::HasSubstr("no host of this configuration runs"));
  EXPECT_TRUE(Shows({{"state", "would serve"},
                     {"version", "1.0.0"},
                     {"generation", nullptr},
                     {"done", nullptr},
                     {"processes", 0}}));
}

}  // namespace
}  // namespace iq::test
