// Where the migrations and the seed lie.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

namespace iq::cli {

// Adds --sql DIR, which IQ_SQL_DIR sets as well.
void AddSqlOption(CLI::App& verb, std::string& directory);

// `directory` or, where that is empty, the folder "sql" beside the configuration file or, where
// there is none, the one that is installed with the program.
std::filesystem::path SqlFolder(const std::string& directory, const std::string& config_path);

}  // namespace iq::cli
