// Whether a file is a whole shared library for this machine, told without running any of it.
#pragma once

#include <optional>
#include <string>

namespace iq {

// What is wrong with the file, as the rest of a sentence that begins with its name; empty when
// nothing is. The loader must not be asked before: it maps a truncated file and dies of SIGBUS.
std::optional<std::string> ElfFault(const std::string& path);

}  // namespace iq
