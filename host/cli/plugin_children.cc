// iq probe-plugin, iq check-plugin: what the program runs itself in, to try a plugin. Not shown to
// people.
#include <memory>

#include "host/cli/plugin.h"
#include "host/cli/verbs.h"
#include "host/plugin_probe.h"

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

}  // namespace

void AddPluginChildren(CLI::App& app, Invocation& invocation) {
  AddChild(app, invocation, kPluginProbeVerb, "FILE", RunPluginProbe);
  AddChild(app, invocation, kPluginCheckVerb, "CASE", RunPluginCheck);
}

}  // namespace iq::cli
