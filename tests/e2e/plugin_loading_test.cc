// Files that are no plugin for this host: each is refused by name, the others serve.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/e2e/commands.h"
#include "tests/e2e/installation.h"
#include "tests/e2e/plugin_folder.h"

namespace iq::test {
namespace {

using nlohmann::json;

const std::vector<std::string> kRefused{"wrong_major.so", "no_entry.so", "z_duplicate_income.so",
                                        "half.so",        "text.so",     "empty.so",
                                        "gone.so"};

void AddBadFiles(PluginFolder& folder) {
  folder.Link(kTestPlugins, "wrong_major.so", "wrong_major.so");
  folder.Link(kTestPlugins, "no_entry.so", "no_entry.so");
  folder.Link(kTestPlugins, "duplicate_income.so", "z_duplicate_income.so");
  folder.Link(kTestPlugins, "there is no such file", "gone.so");
  const auto half = folder.path() / "half.so";
  std::filesystem::copy_file(std::string(kBillingPlugins) + "income.so", half);
  std::filesystem::resize_file(half, std::filesystem::file_size(half) / 2);
  std::ofstream(folder.path() / "text.so") << "a shopping list\n";
  std::ofstream(folder.path() / "empty.so");
}

// The lines of `text` that say that `file` was refused.
std::size_t RefusalsOf(const std::string& file, const std::string& text) {
  std::istringstream lines(text);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    const bool about = line.find('/' + file + ':') != std::string::npos;
    if (about && line.find("plugin refused") != std::string::npos) ++count;
  }
  return count;
}

TEST(PluginLoadingTest, WhatIsNoPluginIsRefusedByNameAndTheRestServe) {
  PluginFolder plugins;
  AddBadFiles(plugins);
  InstallationOptions options;
  options.plugins = plugins.path();
  Installation iq(options);
  iq.OpenAccount(1, 0);
  iq.StartHosts();
  for (const std::string& file : kRefused)
    EXPECT_EQ(RefusalsOf(file, iq.Log()), 1U) << file << "\n" << iq.Log();
  iq.SendWithId(NewId(), Body("income", 1));
  const auto events = iq.NextEvents(1);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].key, "balance.income") << "the first file to claim a type keeps it";
  iq.StopHosts();

  const CliResult listed = iq.Cli({"plugins", "--json"});
  EXPECT_EQ(listed.status, 0);
  for (const std::string& file : kRefused)
    EXPECT_EQ(RefusalsOf(file, listed.err), 1U) << listed.err;
  std::set<std::string> serving;
  std::set<std::string> refused;
  std::istringstream lines(listed.out);
  for (std::string line; std::getline(lines, line);) {
    const json row = json::parse(line);
    const std::string file = std::filesystem::path(std::string(row.at("file"))).filename();
    (row.at("state") == "would serve" ? serving : refused).insert(file);
    EXPECT_EQ(row.at("reason").is_null(), row.at("state") == "would serve") << line;
  }
  EXPECT_EQ(serving, (std::set<std::string>{"income.so", "lock.so", "transfer.so", "withdraw.so"}));
  EXPECT_EQ(refused, std::set<std::string>(kRefused.begin(), kRefused.end()));
}

}  // namespace
}  // namespace iq::test
