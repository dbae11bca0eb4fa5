// iq plugin …: what its verbs do. What they return is the exit status.
#pragma once

#include <string>
#include <vector>

namespace iq::cli {

// Prints what the file says of itself, and runs nothing of it. Fails where it cannot serve, as far
// as that can be told.
int InspectPlugin(const std::string& file, bool json);

struct CheckOptions {
  std::string file;
  std::vector<std::string> tables;    // Paths of scripts in SQLite's dialect.
  std::vector<std::string> settings;  // PLUGIN.KEY=VALUE
};

// Tries the plugin in every way of host/check/check.h, each in a process of its own, and prints a
// row for each. Fails where one finds a fault. Throws UsageError.
int CheckPlugin(const CheckOptions& options, bool json);

// What that process does with the case `name`.
inline constexpr const char* kPluginCheckVerb = "check-plugin";
[[noreturn]] void RunPluginCheck(const std::string& name);

// Writes a project of its own for the plugin `name` into `directory` (empty: `name`). Throws
// UsageError where the name or the directory will not do.
int NewPlugin(const std::string& name, const std::string& directory);

}  // namespace iq::cli
