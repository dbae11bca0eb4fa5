// iq probe-plugin: what the host runs itself in, to try a plugin. Not shown to people.
#include <memory>

#include "host/cli/verbs.h"
#include "host/plugin_probe.h"

namespace iq::cli {

void AddProbePlugin(CLI::App& app, Invocation& invocation) {
  CLI::App* verb = app.add_subcommand(kPluginProbeVerb, "Try a plugin");
  verb->group("");
  const auto path = std::make_shared<std::string>();
  verb->add_option("FILE", *path)->required();
  verb->callback(
      [&invocation, path] { invocation.work = [path] { return RunPluginProbe(*path); }; });
}

}  // namespace iq::cli
