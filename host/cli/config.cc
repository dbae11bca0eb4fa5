// iq config: what is in force, after the environment and the defaults.
#include "host/config.h"

#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

int ShowConfig(const Config& config, bool json) {
  Print(json ? ConfigAsJson(config) + '\n' : ConfigAsYaml(config));
  return kDone;
}

}  // namespace

void AddConfig(CLI::App& app, Invocation& invocation) {
  CLI::App* verb = AddVerb(app, invocation, "config",
                           "Print the effective configuration, passwords masked", Rows::kYes);
  verb->callback([&] {
    invocation.work = [&] { return ShowConfig(invocation.LoadQuietly(), invocation.json); };
  });
}

}  // namespace iq::cli
