// iq plugin: what the authors of plugins need of the program.
#include "host/cli/plugin.h"

#include <memory>

#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

struct NewOptions {
  std::string name;
  std::string directory;
};

void AddNew(CLI::App& plugin, Invocation& invocation) {
  CLI::App* verb = AddVerb(plugin, invocation, "new", "Write a plugin's project to start from");
  const auto options = std::make_shared<NewOptions>();
  verb->add_option("NAME", options->name, "A letter, then letters, digits and _; all lower-case")
      ->required();
  verb->add_option("--directory", options->directory, "Where to; it is made [NAME]");
  verb->callback([&invocation, options] {
    invocation.work = [options] { return NewPlugin(options->name, options->directory); };
  });
}

void AddInspect(CLI::App& plugin, Invocation& invocation) {
  CLI::App* verb = AddVerb(plugin, invocation, "inspect",
                           "Say what a plugin's file is, without running any of it", Rows::kYes);
  const auto file = std::make_shared<std::string>();
  verb->add_option("FILE", *file, "The .so")->required();
  verb->callback([&invocation, file] {
    invocation.work = [&invocation, file] { return InspectPlugin(*file, invocation.json); };
  });
}

void AddCheck(CLI::App& plugin, Invocation& invocation) {
  CLI::App* verb = AddVerb(plugin, invocation, "check",
                           "Try a plugin in every way in which plugins go wrong", Rows::kYes);
  const auto options = std::make_shared<CheckOptions>();
  verb->add_option("FILE", options->file, "The .so")->required();
  verb->add_option("--tables", options->tables,
                   "A script that makes its tables, in SQLite's dialect")
      ->allow_extra_args(false);
  verb->add_option("--setting", options->settings, "PLUGIN.KEY=VALUE, as plugins.settings has it")
      ->allow_extra_args(false);
  verb->callback([&invocation, options] {
    invocation.work = [&invocation, options] { return CheckPlugin(*options, invocation.json); };
  });
}

}  // namespace

void AddPlugin(CLI::App& app, Invocation& invocation) {
  CLI::App* plugin = app.add_subcommand("plugin", "Start a new plugin, look into one, or try it");
  plugin->require_subcommand(1);
  AddNew(*plugin, invocation);
  AddInspect(*plugin, invocation);
  AddCheck(*plugin, invocation);
}

}  // namespace iq::cli
