// Tries a plugin in a child process before it is let into this one.
#pragma once

#include <map>
#include <string>

#include "host/plugin.h"
#include "host/plugin_child.h"

namespace iq {

inline constexpr const char* kPluginProbeVerb = "probe-plugin";

// Starts `program` with the arguments {kPluginProbeVerb, `path`}: the program must then call
// RunPluginProbe. `settings` are plugins.settings of the configuration.
PluginChild StartPluginProbe(const std::string& program, const std::string& path,
                             const std::map<std::string, Plugin::Settings>& settings);

// What the child does: loads the plugin at `path`, initialises it, makes one handler of each type
// and each listener, destroys them and shuts it down.
[[noreturn]] void RunPluginProbe(const std::string& path);

}  // namespace iq
