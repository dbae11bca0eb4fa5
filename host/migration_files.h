// The migrations as they lie in a folder: which files there must be, and in which order.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace iq {

struct Migration {
  std::string folder;  // "iq" or "billing"
  std::string name;    // "001_journal"
  std::string file;    // Where it was read from.
  std::string sql;
  std::string sha256;  // Of sql, in lower-case hexadecimal.
};

// The migrations of `root`/iq and then of `root`/billing, each in the order of their numbers, which
// are 001, 002, … without a gap. `suffix` is Store::dialect(): with ".sqlite.sql", a file with that
// suffix stands in for the ".sql" beside it. Throws UsageError naming the file and the mend.
std::vector<Migration> ReadMigrations(const std::filesystem::path& root, std::string_view suffix);

}  // namespace iq
