#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>
#include <system_error>

#include "host/base/error.h"
#include "host/base/terminal_text.h"
#include "host/cli/plugin.h"
#include "host/cli/share_folder.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameBytesMax = 64;  // Of a plugin.

// What CMake calls targets of its own.
constexpr std::array<std::string_view, 10> kTaken = {
    "all",     "clean",          "edit_cache",    "help", "install", "list_install_components",
    "package", "package_source", "rebuild_cache", "test"};

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && name[0] >= 'a' && name[0] <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

void CheckName(const std::string& name) {
  if (!IsName(name)) {
    throw UsageError(fmt::format(
        "plugin new: \"{}\" is no name for a plugin: a lower-case letter, then at most {} of a-z, "
        "0-9 and _",
        OneLine(name), kNameBytesMax - 1));
  }
  if (std::find(kTaken.begin(), kTaken.end(), name) != kTaken.end()) {
    throw UsageError(
        fmt::format("plugin new: CMake keeps the name {} for itself; choose another", name));
  }
}

// "add_points" as "AddPoints".
std::string CamelCase(const std::string& name) {
  std::string camel;
  bool starts_word = true;
  for (const char c : name) {
    if (c != '_') camel += starts_word ? static_cast<char>(std::toupper(c)) : c;
    starts_word = c == '_';
  }
  return camel;
}

void ReplaceAll(std::string& text, std::string_view what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

std::string Filled(std::string text, const std::string& name) {
  ReplaceAll(text, "@name@", name);
  ReplaceAll(text, "@Name@", CamelCase(name));
  return text;
}

std::string ReadTemplate(const fs::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file && errno == 0) return text;
  throw std::system_error(errno, std::generic_category(), path.string() + ": cannot be read");
}

void WriteNew(const fs::path& path, const std::string& text) {
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return;
  throw std::system_error(errno, std::generic_category(), path.string() + ": cannot be written");
}

fs::path Template() {
  fs::path folder = ShareFolder("template");
  if (!folder.empty()) return folder;
  throw std::runtime_error(
      fmt::format("plugin new: there is no share/iq/template beside {} or above it; install the "
                  "package iq-dev, or all of iq with `cmake --install`",
                  ProgramFolder().string()));
}

void MakeDirectory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  const bool empty = !error && fs::is_empty(directory, error);
  if (error) {
    throw UsageError(fmt::format("plugin new: {}: {}", directory.string(), error.message()));
  }
  if (!empty) {
    throw UsageError(fmt::format("plugin new: {} is not empty; name another with --directory",
                                 directory.string()));
  }
}

}  // namespace

int NewPlugin(const std::string& name, const std::string& directory) {
  CheckName(name);
  const fs::path from = Template();
  const fs::path to = directory.empty() ? name : directory;
  MakeDirectory(to);
  const std::set<fs::path> templates{fs::directory_iterator(from), fs::directory_iterator()};
  for (const fs::path& path : templates) {
    const fs::path file = to / Filled(path.filename().string(), name);
    WriteNew(file, Filled(ReadTemplate(path), name));
    Print(file.string() + '\n');
  }
  return kDone;
}

}  // namespace iq::cli
