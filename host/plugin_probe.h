// Tries a plugin in a process of its own before it is let into this one: a crash or a hang costs
// that process.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "host/plugin.h"

namespace iq {

// A probe that runs.
class PluginProbe {
 public:
  // Starts `program` with the arguments {kPluginProbeVerb, `path`}: the program must then call
  // RunPluginProbe. `settings` are plugins.settings of the configuration.
  PluginProbe(const std::string& program, const std::string& path,
              const std::map<std::string, Plugin::Settings>& settings);
  PluginProbe(PluginProbe&& other) noexcept;
  PluginProbe& operator=(PluginProbe&&) = delete;
  ~PluginProbe();

  // Waits for the end, within kPatience of the start. What is wrong with the plugin, as a sentence
  // about "it"; empty when nothing is. Call once.
  std::optional<std::string> Fault();

  static constexpr std::chrono::seconds kPatience{5};

 private:
  bool AwaitEnd(int* status);
  std::string ReadReport() const;

  pid_t child_ = -1;
  int report_ = -1;      // A file in memory that the child writes to.
  std::string failure_;  // Why there is no child.
  std::chrono::steady_clock::time_point deadline_;
};

inline constexpr const char* kPluginProbeVerb = "probe-plugin";

// What the child does: loads the plugin at `path`, initialises it, makes one handler of each type,
// destroys them and shuts it down. Reads the settings from standard input, reports on standard
// output. Returns the process's exit status. Call where no other thread runs.
int RunPluginProbe(const std::string& path);

}  // namespace iq
