// iq plugins: what would serve which type and which events, and which files would not serve at all.
#include <fmt/format.h>

#include <cstdio>

#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/plugin_directory.h"

namespace iq::cli {
namespace {

std::vector<std::string> Types(const Plugin& plugin) {
  std::vector<std::string> types;
  for (const iq_command_type& command : plugin.commands()) {
    types.emplace_back(command.type.ptr, command.type.len);
  }
  return types;
}

std::vector<std::string> ListenersOf(const Plugin& plugin) {
  std::vector<std::string> listeners;
  for (const Listener& listener : plugin.listeners()) {
    listeners.push_back(fmt::format("{} {}", listener.label, listener.pattern));
  }
  return listeners;
}

std::string State(const PluginFile& file) {
  if (file.plugin != nullptr) return "serves";
  return file.waits ? "waits" : "refused";
}

// For people a sum is cut to what they can tell apart.
std::vector<Cell> Row(const PluginFile& file, std::size_t sum_digits) {
  Cell plugin;
  Cell version;
  Cell types;
  Cell listeners;
  if (file.plugin != nullptr) {
    plugin = file.plugin->name();
    version = file.plugin->version();
    types = Types(*file.plugin);
    listeners = ListenersOf(*file.plugin);
  }
  const Cell sum = file.sha256.empty() ? Cell() : Cell(file.sha256.substr(0, sum_digits));
  return {std::move(plugin), std::move(version),   State(file),
          std::move(types),  std::move(listeners), sum,
          file.file};
}

int ListPlugins(const Config& config, bool json) {
  constexpr std::size_t kShortSum = 12;
  const PluginDirectory directory(config.plugins);
  std::vector<std::string> columns{"plugin",    "version", "state", "types",
                                   "listeners", "sha256",  "file"};
  if (json) columns.emplace_back("reason");
  Table table(columns);
  for (const PluginFile& file : directory.files()) {
    std::vector<Cell> row = Row(file, json ? std::string::npos : kShortSum);
    if (json) row.push_back(file.reason.empty() ? Cell() : Cell(file.reason));
    table.Add(std::move(row));
  }
  Print(json ? table.JsonLines() : table.Text());
  for (const std::string& refusal : directory.refused()) {
    fmt::print(stderr, "iq: plugin refused: {}\n", OneLine(refusal));
  }
  if (!directory.routes()->empty()) return kDone;
  fmt::print(
      stderr,
      "iq: plugins.directory: no plugin in {} can serve; build the plugins, or name the folder "
      "they are in\n",
      config.plugins.directory);
  return kFailed;
}

}  // namespace

void AddPlugins(CLI::App& app, Invocation& invocation) {
  CLI::App* verb =
      AddVerb(app, invocation, "plugins",
              "List the plugins, and the command types and listeners they serve", Rows::kYes);
  verb->callback([&] {
    invocation.work = [&] { return ListPlugins(invocation.LoadQuietly(), invocation.json); };
  });
}

}  // namespace iq::cli
