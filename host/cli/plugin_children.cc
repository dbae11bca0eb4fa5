// iq probe-plugin, iq check-plugin, iq view-plugins: what the program runs itself in where a plugin
// may bring it down. Not shown to people.
#include <memory>

#include "host/cli/plugin.h"
#include "host/cli/verbs.h"
#include "host/plugin_probe.h"
#include "host/plugin_view.h"

namespace iq::cli {
namespace {

void AddChild(CLI::App& app, Invocation& invocation, const char* name, const char* argument,
              void (*run)(const std::string&)) {
  CLI::App* verb = app.add_subcommand(name, "Try a plugin");
  verb->group("");
  const auto given = std::make_shared<std::string>();
  verb->add_option(argument, *given)->required();
  verb->callback([&invocation, given, run] {
    invocation.work = [given, run] {
      run(*given);
      return kDone;
    };
  });
}

void ViewPlugins(const std::string& config_path) {
  Config config = LoadConfig(config_path);
  config.plugins.prober = kThisProgram;
  RunPluginView(config);
}

}  // namespace

void AddPluginChildren(CLI::App& app, Invocation& invocation) {
  AddChild(app, invocation, kPluginProbeVerb, "FILE", RunPluginProbe);
  AddChild(app, invocation, kPluginCheckVerb, "CASE", RunPluginCheck);
  AddChild(app, invocation, kPluginViewVerb, "FILE", ViewPlugins);
}

}  // namespace iq::cli
