#include "host/plugin_report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

#include "host/base/json_text.h"
#include "host/base/lock_file.h"
#include "host/base/log.h"

namespace iq {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kReportExtension = ".plugins";
constexpr std::string_view kDraftExtension = ".plugins_draft";
constexpr std::chrono::seconds kWriteEvery{1};

std::string Beside(const std::string& recorder_path, std::string_view extension) {
  return fs::path(recorder_path).replace_extension(extension);
}

ReportedPlugin Serving(const PluginFile& file) {
  const Plugin& plugin = *file.plugin;
  ReportedPlugin serving;
  serving.file = file.file;
  serving.sha256 = plugin.sha256();
  serving.state = kServes;
  serving.plugin = plugin.name();
  serving.version = plugin.version();
  serving.generation = plugin.generation();
  for (const iq_command_type& command : plugin.commands()) {
    serving.types.emplace_back(command.type.ptr, command.type.len);
  }
  for (const Listener& listener : plugin.listeners()) {
    serving.listeners.push_back(fmt::format("{} {}", listener.label, listener.pattern));
  }
  serving.counts = plugin.counts().Read();
  return serving;
}

ReportedPlugin NotServing(const PluginFile& file) {
  ReportedPlugin refused;
  refused.file = file.file;
  refused.sha256 = file.sha256;
  refused.state = file.waits ? kWaits : kRefused;
  refused.reason = file.reason;
  return refused;
}

json ToJson(const ReportedPlugin& plugin) {
  return {{"file", plugin.file},
          {"sha256", plugin.sha256},
          {"state", plugin.state},
          {"reason", plugin.reason},
          {"plugin", plugin.plugin},
          {"version", plugin.version},
          {"generation", plugin.generation},
          {"types", plugin.types},
          {"listeners", plugin.listeners},
          {"done", plugin.counts.done},
          {"rejected", plugin.counts.rejected},
          {"failed", plugin.counts.failed},
          {"retried", plugin.counts.retried}};
}

// Throws json::exception when it is something else.
ReportedPlugin PluginFrom(const json& object) {
  ReportedPlugin plugin;
  object.at("file").get_to(plugin.file);
  object.at("sha256").get_to(plugin.sha256);
  object.at("state").get_to(plugin.state);
  object.at("reason").get_to(plugin.reason);
  object.at("plugin").get_to(plugin.plugin);
  object.at("version").get_to(plugin.version);
  object.at("generation").get_to(plugin.generation);
  object.at("types").get_to(plugin.types);
  object.at("listeners").get_to(plugin.listeners);
  object.at("done").get_to(plugin.counts.done);
  object.at("rejected").get_to(plugin.counts.rejected);
  object.at("failed").get_to(plugin.counts.failed);
  object.at("retried").get_to(plugin.counts.retried);
  return plugin;
}

std::string ReportText(const PluginDirectory& directory, const std::string& admin) {
  json plugins = json::array();
  for (const ReportedPlugin& plugin : DescribePlugins(directory)) plugins.push_back(ToJson(plugin));
  const json report{{"pid", getpid()}, {"admin", admin}, {"plugins", std::move(plugins)}};
  return JsonText(report);
}

// Empty when it is gone, or no report as this version writes it.
std::optional<PluginReport> ReadReport(const fs::path& path) {
  try {
    std::ifstream file(path);
    const json object = json::parse(file);
    PluginReport report;
    object.at("pid").get_to(report.pid);
    report.admin = object.value("admin", "");  // Not of every version.
    for (const json& plugin : object.at("plugins")) report.plugins.push_back(PluginFrom(plugin));
    return report;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

std::vector<ReportedPlugin> DescribePlugins(const PluginDirectory& directory) {
  std::vector<ReportedPlugin> plugins;
  for (const PluginFile& file : directory.files()) {
    if (file.plugin != nullptr) plugins.push_back(Serving(file));
    if (!file.reason.empty()) plugins.push_back(NotServing(file));
  }
  return plugins;
}

std::vector<PluginReport> ReadPluginReports(const std::string& folder) {
  const std::string lock_path = FlightLockPath(folder);
  std::error_code hidden;
  // Opening it would make it.
  if (folder.empty() || (!fs::exists(lock_path, hidden) && !hidden)) return {};
  const LockFile locks(lock_path);
  std::vector<PluginReport> reports;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != kReportExtension) continue;
    const auto place = PlaceOfRecorder(Beside(entry.path(), kRecorderExtension));
    if (!place || !locks.HeldByOther(*place)) continue;
    if (auto report = ReadReport(entry.path())) reports.push_back(std::move(*report));
  }
  return reports;
}

std::vector<PluginSummary> SummarizePlugins(const std::vector<PluginReport>& reports) {
  std::map<std::tuple<std::string, std::uint64_t, std::string, std::string>, PluginSummary> rows;
  for (const PluginReport& report : reports) {
    for (const ReportedPlugin& each : report.plugins) {
      const auto [at, is_new] = rows.try_emplace(
          {each.file, each.generation, each.sha256, each.state}, PluginSummary{each});
      PluginSummary& row = at->second;
      ++row.processes;
      if (is_new) continue;
      row.plugin.counts.done += each.counts.done;
      row.plugin.counts.rejected += each.counts.rejected;
      row.plugin.counts.failed += each.counts.failed;
      row.plugin.counts.retried += each.counts.retried;
    }
  }
  std::vector<PluginSummary> sorted;
  sorted.reserve(rows.size());
  for (auto& [key, row] : rows) sorted.push_back(std::move(row));
  return sorted;
}

void RemovePluginReport(const std::string& recorder_path) {
  std::error_code ignored;  // A dead process's file is read by nobody.
  fs::remove(Beside(recorder_path, kDraftExtension), ignored);
  fs::remove(Beside(recorder_path, kReportExtension), ignored);
}

PluginReporter::PluginReporter(const FlightRecorder& recorder, const PluginDirectory& directory,
                               std::string admin)
    : directory_(directory), recorder_path_(recorder.path()), admin_(std::move(admin)) {
  Refresh();
}

PluginReporter::~PluginReporter() {
  if (!recorder_path_.empty()) RemovePluginReport(recorder_path_);
}

void PluginReporter::Refresh() {
  const auto now = Clock::now();
  if (recorder_path_.empty() || now < due_) return;
  due_ = now + kWriteEvery;
  try {
    std::string text = ReportText(directory_, admin_);
    if (text == written_) return;
    Write(text);
    written_ = std::move(text);
    complained_ = false;
  } catch (const std::exception& error) {
    if (std::exchange(complained_, true)) return;
    log::Warn(fmt::format(
        "plugins.flight_recorder: {}; until that is mended, `iq plugins` does not show what this "
        "process serves",
        error.what()));
  }
}

void PluginReporter::Write(const std::string& text) const {
  const std::string draft = Beside(recorder_path_, kDraftExtension);
  std::ofstream file(draft, std::ios::trunc);
  file << text << '\n' << std::flush;
  if (!file) throw std::system_error(errno, std::generic_category(), draft + " cannot be written");
  file.close();
  fs::rename(draft, Beside(recorder_path_, kReportExtension));
}

}  // namespace iq
