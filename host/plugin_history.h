// What is remembered of the generations of plugins beyond the life of a process: which one of a
// file was the last to do its work, and which ones did not.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace iq {

// Notes in the directory of the private copies, shared by the processes of one installation:
//   SHA256.failed  the library with this sum failed its first commands, and is not tried again
//   SHA256.deaths  a line for each process that died in it while it was not the good one
//   NAME.good      the sum of the last generation that did its work; NAME is made of the file's
//   path
//
// Thread-safe. Nothing throws: where a note cannot be written, less is remembered.
class PluginHistory {
 public:
  explicit PluginHistory(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // What counted against it before counts no more.
  void NoteGood(const std::string& file, const std::string& sha256) const;
  std::optional<std::string> GoodOf(const std::string& file) const;

  void NoteFailed(const std::string& sha256) const;
  bool HasFailed(const std::string& sha256) const;

  // The same `death` again counts once.
  void NoteDeath(const std::string& sha256, const std::string& death) const;
  std::uint64_t DeathsOf(const std::string& sha256) const;

  // What it came to counts no more: it was taken away.
  void Forget(const std::string& file, const std::string& sha256) const;

  // Removes what is about libraries of which there is no copy any more.
  void Clean() const;

 private:
  std::filesystem::path PathOf(const std::string& name, const char* extension) const;
  bool IsStale(const std::filesystem::directory_entry& entry) const;
  std::filesystem::path GoodPath(const std::string& file) const;

  const std::filesystem::path directory_;
};

}  // namespace iq
