#include "host/plugin_history.h"

#include <chrono>
#include <fstream>
#include <set>
#include <system_error>

#include "host/base/digest.h"
#include "host/base/uuid.h"

namespace iq {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFailed = ".failed";
constexpr const char* kDeaths = ".deaths";
constexpr const char* kGood = ".good";
constexpr const char* kDraft = ".draft";
constexpr std::chrono::minutes kDraftAgeMax{1};  // Then the process that wrote it is dead.

std::string ReadLine(const fs::path& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

}  // namespace

fs::path PluginHistory::PathOf(const std::string& name, const char* extension) const {
  return directory_ / (name + extension);
}

fs::path PluginHistory::GoodPath(const std::string& file) const {
  return PathOf(Sha256Hex(file), kGood);
}

// By renaming: a reader finds a whole sum, also after this process was killed.
void PluginHistory::NoteGood(const std::string& file, const std::string& sha256) const {
  std::error_code ignored;
  fs::remove(PathOf(sha256, kDeaths), ignored);
  fs::remove(PathOf(sha256, kFailed), ignored);
  if (GoodOf(file) == sha256) return;
  const fs::path draft = PathOf(RandomUuid(), kDraft);
  std::ofstream note(draft);
  note << sha256 << '\n';
  note.close();
  if (note) {
    fs::rename(draft, GoodPath(file), ignored);
  } else {
    fs::remove(draft, ignored);
  }
}

std::optional<std::string> PluginHistory::GoodOf(const std::string& file) const {
  std::string sha256 = ReadLine(GoodPath(file));
  if (sha256.empty()) return std::nullopt;
  return sha256;
}

void PluginHistory::NoteFailed(const std::string& sha256) const {
  const std::ofstream note(PathOf(sha256, kFailed), std::ios::app);
}

bool PluginHistory::HasFailed(const std::string& sha256) const {
  std::error_code ignored;
  return fs::exists(PathOf(sha256, kFailed), ignored);
}

void PluginHistory::NoteDeath(const std::string& sha256, const std::string& death) const {
  std::ofstream(PathOf(sha256, kDeaths), std::ios::app) << death + '\n';
}

std::uint64_t PluginHistory::DeathsOf(const std::string& sha256) const {
  std::set<std::string> deaths;
  std::ifstream file(PathOf(sha256, kDeaths));
  for (std::string death; std::getline(file, death);) deaths.insert(death);
  return deaths.size();
}

void PluginHistory::Forget(const std::string& file, const std::string& sha256) const {
  std::error_code ignored;
  fs::remove(GoodPath(file), ignored);
  if (sha256.empty()) return;
  fs::remove(PathOf(sha256, kFailed), ignored);
  fs::remove(PathOf(sha256, kDeaths), ignored);
}

void PluginHistory::Clean() const {
  std::error_code error;
  for (auto each = fs::directory_iterator(directory_, error);
       !error && each != fs::directory_iterator(); each.increment(error)) {
    std::error_code ignored;
    if (IsStale(*each)) fs::remove(each->path(), ignored);
  }
}

bool PluginHistory::IsStale(const fs::directory_entry& entry) const {
  std::error_code ignored;
  const fs::path extension = entry.path().extension();
  if (extension == kDraft) {
    return fs::file_time_type::clock::now() - entry.last_write_time(ignored) > kDraftAgeMax;
  }
  std::string sha256;
  if (extension == kGood) sha256 = ReadLine(entry.path());
  if (extension == kFailed || extension == kDeaths) sha256 = entry.path().stem().string();
  return !sha256.empty() && !fs::exists(PathOf(sha256, ".so"), ignored);
}

}  // namespace iq
