#include "host/cli/sql_folder.h"

#include "host/cli/share_folder.h"

namespace iq::cli {

void AddSqlOption(CLI::App& verb, std::string& directory) {
  verb.add_option("--sql", directory,
                  "The folder of the SQL files [sql beside the configuration, or the installed]")
      ->envname("IQ_SQL_DIR");
}

std::filesystem::path SqlFolder(const std::string& directory, const std::string& config_path) {
  if (!directory.empty()) return directory;
  auto beside = std::filesystem::path(config_path).parent_path() / "sql";
  std::error_code unreadable;
  if (std::filesystem::exists(beside, unreadable) || unreadable) return beside;
  const auto installed = ShareFolder("sql");
  return installed.empty() ? beside : installed;
}

}  // namespace iq::cli
