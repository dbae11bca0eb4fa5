#include "host/crash_log.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "host/base/json_text.h"
#include "host/base/rfc3339.h"

namespace iq {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kKept = 100;
constexpr std::size_t kIdsMax = 10;
constexpr const char* kFile = "/crashes";
constexpr const char* kDraft = "/crashes.draft";

Crash::Call CallOf(const Note& note) {
  Crash::Call call{.plugin = note.plugin,
                   .call = std::string(PluginCallName(note.call)),
                   .ids = {},
                   .commands = note.commands.size()};
  for (const NotedCommand& command : note.commands) {
    if (call.ids.size() == kIdsMax) break;
    call.ids.push_back(command.id);
  }
  return call;
}

std::string LineOf(const Crash& crash) {
  const Json line{{"recorder", crash.recorder},
                  {"at", crash.at},
                  {"pid", crash.pid},
                  {"calls", CallsJson(crash)}};
  return JsonText(line);
}

Crash ReadCrash(const Json& line) {
  Crash crash{
      .recorder = line.at("recorder"), .at = line.at("at"), .pid = line.at("pid"), .calls = {}};
  for (const Json& call : line.at("calls")) {
    crash.calls.push_back({.plugin = call.at("plugin"),
                           .call = call.at("call"),
                           .ids = call.at("ids"),
                           .commands = call.at("commands")});
  }
  return crash;
}

}  // namespace

void NoteCrash(const std::string& folder, const std::string& recorder, const Recording& recording) {
  std::vector<Crash> crashes = ReadCrashes(folder);
  const bool known = std::any_of(crashes.begin(), crashes.end(),
                                 [&](const Crash& crash) { return crash.recorder == recorder; });
  if (known) return;
  Crash crash{.recorder = recorder,
              .at = Rfc3339(std::chrono::system_clock::now()),
              .pid = recording.pid,
              .calls = {}};
  for (const Note& note : recording.notes) crash.calls.push_back(CallOf(note));
  crashes.push_back(std::move(crash));
  const std::size_t first = crashes.size() - std::min(crashes.size(), kKept);
  std::ofstream draft(folder + kDraft, std::ios::trunc);
  for (std::size_t i = first; i < crashes.size(); ++i) draft << LineOf(crashes[i]) << '\n';
  draft.close();
  std::error_code ignored;
  if (draft) std::filesystem::rename(folder + kDraft, folder + kFile, ignored);
}

Json CallsJson(const Crash& crash) {
  Json calls = Json::array();
  for (const Crash::Call& call : crash.calls) {
    calls.push_back({{"plugin", call.plugin},
                     {"call", call.call},
                     {"ids", call.ids},
                     {"commands", call.commands}});
  }
  return calls;
}

std::vector<Crash> ReadCrashes(const std::string& folder) {
  std::vector<Crash> crashes;
  std::ifstream file(folder + kFile);
  for (std::string line; std::getline(file, line);) {
    try {
      crashes.push_back(ReadCrash(Json::parse(line)));
    } catch (const Json::exception&) {
      continue;  // Whoever wrote it, it was not this program.
    }
  }
  return crashes;
}

}  // namespace iq
