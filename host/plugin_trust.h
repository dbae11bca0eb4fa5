// Whether a file could have been put or changed by anybody but root and the host's own user: what
// the loader maps runs with all that the host may do.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

namespace iq {

// What is wrong with the file that is open as `opened` and was found at `path`, as one sentence
// that names the path to blame and the mend; empty when nothing is. Links are followed, and every
// directory on the way counts: owned by root or the host's user, or by who could replace the
// program itself, and writable by nobody else. A sticky one, such as /tmp, will do, but not for the
// directories that hold the file or a link to it. Writable by the owner's private group is writable
// by the owner.
std::optional<std::string> FileTrustFault(const std::string& path, const struct stat& opened);

// The same for a directory that holds private copies: it must also be the user's own and closed to
// everybody else.
std::optional<std::string> PrivateDirectoryFault(const std::string& path);

}  // namespace iq
