// iq plugins: what the running hosts serve and what came of it, and which files do not serve. Where
// no host runs, what one would serve.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "host/base/terminal_text.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/plugin_report.h"

namespace iq::cli {
namespace {

std::vector<PluginSummary> RowsWithoutHosts(const PluginsConfig& config) {
  const PluginDirectory directory(config);
  std::vector<PluginSummary> rows;
  for (ReportedPlugin& each : DescribePlugins(directory)) {
    each.generation = 0;
    if (each.state == kServes) each.state = "would serve";
    rows.push_back({std::move(each)});
  }
  fmt::print(stderr, "iq: no host of this configuration runs; this is what one would serve\n");
  return rows;
}

Cell TextCell(const std::string& text) { return text.empty() ? Cell() : Cell(text); }

Cell NumberCell(bool known, std::uint64_t number) {
  return known ? Cell(static_cast<std::int64_t>(number)) : Cell();
}

// For people a sum is cut to what they can tell apart.
std::vector<Cell> Cells(const PluginSummary& row, std::size_t sum_digits) {
  const ReportedPlugin& plugin = row.plugin;
  const bool loaded = !plugin.plugin.empty();
  const bool runs = plugin.generation != 0;
  return {TextCell(plugin.plugin),
          TextCell(plugin.version),
          NumberCell(runs, plugin.generation),
          plugin.state,
          loaded ? Cell(plugin.types) : Cell(),
          loaded ? Cell(plugin.listeners) : Cell(),
          NumberCell(runs, plugin.counts.done),
          NumberCell(runs, plugin.counts.rejected),
          NumberCell(runs, plugin.counts.failed),
          NumberCell(runs, plugin.counts.retried),
          row.processes,
          TextCell(plugin.sha256.substr(0, sum_digits)),
          plugin.file};
}

void Show(const std::vector<PluginSummary>& rows, bool json) {
  constexpr std::size_t kShortSum = 12;
  std::vector<std::string> columns{"plugin",    "version", "generation", "state",  "types",
                                   "listeners", "done",    "rejected",   "failed", "retried",
                                   "processes", "sha256",  "file"};
  if (json) columns.emplace_back("reason");
  Table table(columns);
  for (const PluginSummary& row : rows) {
    std::vector<Cell> cells = Cells(row, json ? std::string::npos : kShortSum);
    if (json) cells.push_back(TextCell(row.plugin.reason));
    table.Add(std::move(cells));
  }
  Print(json ? table.JsonLines() : table.Text());
}

int ListPlugins(const PluginsConfig& config, bool json) {
  const std::vector<PluginReport> reports = ReadPluginReports(config.flight_recorder);
  const std::vector<PluginSummary> rows =
      reports.empty() ? RowsWithoutHosts(config) : SummarizePlugins(reports);
  Show(rows, json);
  for (const PluginSummary& row : rows) {
    if (row.plugin.reason.empty()) continue;
    fmt::print(stderr, "iq: plugin refused: {}\n", OneLine(row.plugin.reason));
  }
  const bool any_serves = std::any_of(rows.begin(), rows.end(), [](const PluginSummary& row) {
    return !row.plugin.types.empty() || !row.plugin.listeners.empty();
  });
  if (any_serves) return kDone;
  fmt::print(
      stderr,
      "iq: plugins.directory: no plugin in {} can serve; build the plugins, or name the folder "
      "they are in\n",
      config.directory);
  return kFailed;
}

}  // namespace

void AddPlugins(CLI::App& app, Invocation& invocation) {
  CLI::App* verb = AddVerb(app, invocation, "plugins",
                           "List the plugins, what the running hosts serve with them, and what "
                           "came of it",
                           Rows::kYes);
  verb->callback([&] {
    invocation.work = [&] {
      return ListPlugins(invocation.LoadQuietly().plugins, invocation.json);
    };
  });
}

}  // namespace iq::cli
