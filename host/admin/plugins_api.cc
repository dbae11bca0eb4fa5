#include "host/admin/plugins_api.h"

#include <exception>
#include <string>

#include "host/crash_log.h"
#include "host/plugin_report.h"
#include "host/plugin_view.h"

namespace iq {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const PluginSummary& summary) {
  const ReportedPlugin& plugin = summary.plugin;
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
          {"retried", plugin.counts.retried},
          {"processes", summary.processes}};
}

// The newest first.
Json CrashesJson(const std::vector<Crash>& crashes) {
  Json all = Json::array();
  for (auto crash = crashes.rbegin(); crash != crashes.rend(); ++crash) {
    all.push_back({{"at", crash->at}, {"pid", crash->pid}, {"calls", CallsJson(*crash)}});
  }
  return all;
}

// Adds to each type of `served` what its examples would lock. That is the one question here for
// which plugins are called: where one does not survive it, the rest is known all the same.
void AddExamples(const Config& config, Json& served) {
  Json examples = Json::object();
  try {
    examples = ViewExamples(config);
  } catch (const std::exception& error) {
    served["faults"].push_back(error.what());
  }
  for (Json& type : served["types"]) {
    type["examples"] = examples.value(type.at("type").get<std::string>(), Json::array());
  }
}

}  // namespace

Json PluginsApi::Describe() {
  Json plugins = Json::array();
  Json files = Json::array();
  for (const PluginSummary& summary :
       SummarizePlugins(ReadPluginReports(config_.plugins.flight_recorder))) {
    plugins.push_back(ToJson(summary));
    files.push_back({summary.plugin.file, summary.plugin.sha256, summary.plugin.state});
  }
  Json answer{{"plugins", std::move(plugins)},
              {"crashes", CrashesJson(ReadCrashes(config_.plugins.flight_recorder))}};
  answer.update(Served(files));
  return answer;
}

// Loads all plugins in child processes: not anew for everybody who asks.
Json PluginsApi::Served(const Json& files) {
  constexpr std::chrono::seconds kKept{30};
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (!served_.is_null() && files == of_files_ && now - asked_at_ < kKept) return served_;
  try {
    served_ = ViewServed(config_);
    AddExamples(config_, served_);
  } catch (const std::exception& error) {
    served_ = {{"types", Json::array()},
               {"events", Json::array()},
               {"faults", Json::array({error.what()})}};
  }
  of_files_ = files;
  asked_at_ = Clock::now();
  return served_;
}

}  // namespace iq
