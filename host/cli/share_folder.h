// What comes with the program beside it: SQL, templates.
#pragma once

#include <filesystem>
#include <string>

namespace iq::cli {

// The folder this program lies in.
std::filesystem::path ProgramFolder();

// PREFIX/share/iq/NAME for the program PREFIX/bin/iq, or share/iq/NAME beside a program that is not
// installed. Empty where there is neither.
std::filesystem::path ShareFolder(const std::string& name);

}  // namespace iq::cli
