// iq plugin …: what its verbs do. What they return is the exit status.
#pragma once

#include <string>

namespace iq::cli {

// Prints what the file says of itself, and runs nothing of it. Fails where it cannot serve, as far
// as that can be told.
int InspectPlugin(const std::string& file, bool json);

// Writes a project of its own for the plugin `name` into `directory` (empty: `name`). Throws
// UsageError where the name or the directory will not do.
int NewPlugin(const std::string& name, const std::string& directory);

}  // namespace iq::cli
