// The editor that the user has chosen.
#pragma once

#include <filesystem>

namespace iq::cli {

// Has the user edit `file` in $VISUAL, else $EDITOR, else `editor`, else `vi`, as a shell would
// start it, on this process's own terminal. Returns when it has ended: its exit status, or 128 and
// the number of the signal that ended it. Throws std::system_error.
int EditFile(const std::filesystem::path& file);

}  // namespace iq::cli
