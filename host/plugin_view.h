// What plugins say of themselves, and of a command, for a process that must not load them: found
// out in a child process.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "host/config.h"

namespace iq {

// The verb under which the program looks for its parent. Its argument is the configuration file.
inline constexpr const char* kPluginViewVerb = "view-plugins";

// {"types": [{"type", "plugin", "schema"}], "events": [{"name", "plugin", "schema"}],
//  "faults": [text]}. Throws std::runtime_error where a plugin brings the child down.
nlohmann::ordered_json ViewServed(const Config& config);

// By type, the first ten examples of its schema: {TYPE: [{"body", "locks": [key], "reason"}]}.
// `reason` is null unless the example would be refused. Plugins are called for it, which ViewServed
// does not. Throws as ViewServed does.
nlohmann::ordered_json ViewExamples(const Config& config);

// What `iq explain --json` prints. Throws as ViewServed does.
nlohmann::ordered_json ViewExplanation(const Config& config, const std::string& body,
                                       const std::string& id);

// The child: call where no other thread runs.
[[noreturn]] void RunPluginView(const Config& config);

}  // namespace iq
