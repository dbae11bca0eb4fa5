#include "host/migration_files.h"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "host/base/digest.h"
#include "host/base/error.h"

namespace iq {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 2> kFolders{"iq", "billing"};
constexpr std::string_view kSuffix = ".sql";
constexpr std::string_view kSqliteSuffix = ".sqlite.sql";

std::string Read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) throw UsageError(fmt::format("{}: cannot be read", file.string()));
  return bytes;
}

// The names of the files in `folder`, sorted.
std::set<std::string> FileNames(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    names.insert(entry->path().filename().string());
  }
  if (error) {
    throw UsageError(
        fmt::format("{}: {}; migrations are read from there", folder.string(), error.message()));
  }
  return names;
}

// Three digits, an underscore, and a rest of lower-case letters, digits and underscores.
bool IsMigrationName(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789";
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_";
  constexpr std::size_t kNumberDigits = 3;
  const auto underscore = name.find('_');
  return underscore == kNumberDigits && name.find_first_not_of(kDigits) == underscore &&
         name.size() > underscore + 1 && name.find_first_not_of(kLetters) == name.npos;
}

void CheckName(const fs::path& file, const std::string& name) {
  if (IsMigrationName(name)) return;
  throw UsageError(
      fmt::format("{}: a migration is named NNN_name.sql, as 001_journal.sql is", file.string()));
}

void CheckNumber(const fs::path& file, const std::string& name, std::size_t expected) {
  const auto number = static_cast<std::size_t>(std::stoi(name.substr(0, 3)));
  if (number == expected) return;
  const char* const what = number < expected ? "is there twice" : "follows a gap";
  throw UsageError(fmt::format("{}: the number {:03} {}; the next migration must be {:03}",
                               file.string(), number, what, expected));
}

std::vector<Migration> ReadFolder(const fs::path& root, const std::string& folder,
                                  std::string_view suffix) {
  std::vector<Migration> migrations;
  const std::set<std::string> files = FileNames(root / folder);
  for (const std::string& file : files) {
    const fs::path path = root / folder / file;
    if (!file.ends_with(kSuffix)) continue;
    if (file.ends_with(kSqliteSuffix)) {
      const std::string base = file.substr(0, file.size() - kSqliteSuffix.size());
      if (files.count(base + std::string(kSuffix)) != 0) continue;
      throw UsageError(fmt::format("{}: {}.sql is missing beside it", path.string(), base));
    }
    const std::string name = file.substr(0, file.size() - kSuffix.size());
    CheckName(path, name);
    CheckNumber(path, name, migrations.size() + 1);
    const std::string variant = name + std::string(suffix);
    const fs::path chosen = files.count(variant) != 0 ? root / folder / variant : path;
    const std::string sql = Read(chosen);
    migrations.push_back({folder, name, chosen.string(), sql, Sha256Hex(sql)});
  }
  return migrations;
}

}  // namespace

std::vector<Migration> ReadMigrations(const fs::path& root, std::string_view suffix) {
  std::vector<Migration> all;
  for (const char* const folder : kFolders) {
    for (Migration& migration : ReadFolder(root, folder, suffix)) {
      all.push_back(std::move(migration));
    }
  }
  return all;
}

}  // namespace iq
