#include <unistd.h>

#include "host/base/log.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

log::Format ResolvedFormat(LogConfig::Format format) {
  switch (format) {
    case LogConfig::Format::kText:
      return log::Format::kText;
    case LogConfig::Format::kJson:
      return log::Format::kJson;
    case LogConfig::Format::kAuto:
      break;
  }
  return isatty(STDERR_FILENO) != 0 ? log::Format::kText : log::Format::kJson;
}

}  // namespace

Config Invocation::Load() const {
  Config config = LoadConfig(config_path);
  config.file = config_path;
  config.plugins.prober = kThisProgram;
  log::Start(static_cast<log::Level>(config.log.level), ResolvedFormat(config.log.format));
  return config;
}

Config Invocation::LoadQuietly() const {
  Config config = LoadConfig(config_path);
  config.file = config_path;
  config.plugins.prober = kThisProgram;
  log::Start(log::Level::kError, ResolvedFormat(config.log.format));
  return config;
}

CLI::App* AddVerb(CLI::App& app, Invocation& invocation, const std::string& name,
                  const std::string& description, Rows rows) {
  CLI::App* verb = app.add_subcommand(name, description);
  verb->add_option("--config", invocation.config_path, "The configuration file")
      ->capture_default_str();
  if (rows == Rows::kYes) {
    verb->add_flag("--json", invocation.json, "Print rows as JSON, one object a line");
  }
  return verb;
}

}  // namespace iq::cli
