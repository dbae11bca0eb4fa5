#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "host/base/error.h"
#include "host/base/temporary_directory.h"
#include "host/base/terminal_text.h"
#include "host/check/check.h"
#include "host/cli/plugin.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/plugin_child.h"

namespace iq::cli {
namespace {

constexpr std::chrono::seconds kPatience{60};
// What a case that had nothing to look at says its reason behind.
constexpr std::string_view kNothingMark = "-";

std::string ReadScript(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UsageError(fmt::format("--tables: {} cannot be read", path));
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// "PLUGIN.KEY=VALUE"; dots in the key nest.
void AddSetting(const std::string& text, std::map<std::string, Plugin::Settings>& settings) {
  const std::size_t equals = text.find('=');
  const std::size_t dot = text.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot > equals) {
    throw UsageError(fmt::format("--setting: \"{}\" is not PLUGIN.KEY=VALUE", OneLine(text)));
  }
  settings[text.substr(0, dot)][text.substr(dot + 1, equals - dot - 1)] = text.substr(equals + 1);
}

const check::Case& CaseNamed(const std::string& name) {
  for (const check::Case& each : check::Cases()) {
    if (each.name == name) return each;
  }
  throw UsageError(fmt::format("no case is named {}", OneLine(name)));
}

check::Subject SubjectOf(const CheckOptions& options) {
  check::Subject subject{.file = options.file, .settings = {}, .tables = {}, .folder = {}};
  for (const std::string& path : options.tables) subject.tables.push_back(ReadScript(path));
  for (const std::string& setting : options.settings) AddSetting(setting, subject.settings);
  return subject;
}

PluginChild::End RunInChild(const check::Case& each, check::Subject subject) {
  const TemporaryDirectory folder("plugin-check");
  subject.folder = folder.path();
  PluginChild child({.program = kThisProgram,
                     .arguments = {kPluginCheckVerb, each.name},
                     .input = subject.ToJson(),
                     .patience = kPatience});
  return child.Wait();
}

}  // namespace

int CheckPlugin(const CheckOptions& options, bool json) {
  const check::Subject subject = SubjectOf(options);
  Table table({"case", "verdict", "detail"});
  std::size_t faults = 0;
  for (const check::Case& each : check::Cases()) {
    const PluginChild::End end = RunInChild(each, subject);
    const bool nothing = end.result.starts_with(kNothingMark);
    if (end.fault) ++faults;
    table.Add(
        {std::string(each.name),
         std::string(end.fault ? "fault"
                     : nothing ? "-"
                               : "good"),
         OneLine(end.fault ? *end.fault : end.result.substr(nothing ? kNothingMark.size() : 0))});
  }
  Print(json ? table.JsonLines() : table.Text());
  if (faults == 0) return kDone;
  fmt::print(stderr, "iq: {}: {} of {} cases found a fault\n", OneLine(options.file), faults,
             check::Cases().size());
  return kFailed;
}

void RunPluginCheck(const std::string& name) {
  const check::Case& chosen = CaseNamed(name);
  plugin_child::Run(kPatience, [&chosen](const std::string& input) {
    plugin_child::Step("its first step");
    const check::Finding finding = chosen.run(check::Subject::FromJson(input));
    const bool nothing = finding.verdict == check::Finding::Verdict::kNothing;
    plugin_child::Result(fmt::format("{}{}", nothing ? kNothingMark : "", finding.detail));
  });
}

}  // namespace iq::cli
