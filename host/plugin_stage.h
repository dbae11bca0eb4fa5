// The private copies that the loader maps in place of the files that people drop.
//
// A dropped file may be written to, cut or replaced at any time; its copy never changes: it is made
// under another name, carries the SHA-256 of its contents as its own, and lies in a directory that
// only the host's user can enter. Processes of one installation share the directory.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/plugin.h"

namespace iq {

// The file's contents were not looked at: something else is in the way, and may go away without a
// change of the file.
class PluginNotRead : public PluginRefused {
 public:
  using PluginRefused::PluginRefused;
};

struct StagedPlugin {
  std::string path;    // Of the copy.
  std::string sha256;  // In hex.
};

// Not thread-safe; other objects, in other processes too, may work on the same directory.
class PluginStage {
 public:
  // Makes the directory where it is missing. Throws UsageError when it cannot hold copies.
  explicit PluginStage(std::filesystem::path directory);
  // In a directory of its own that goes with the object: plugins stay mapped without their files.
  static PluginStage Temporary();
  // For a process that only looks: `directory` where it stands and may be used, or else a temporary
  // one.
  static PluginStage Borrowed(const std::filesystem::path& directory);
  PluginStage(PluginStage&& other) noexcept;
  PluginStage& operator=(PluginStage&&) = delete;
  ~PluginStage();

  // Copies `file`, if it may be trusted, is a whole library for this machine and, unless `allowed`
  // is empty, its SHA-256 is in there. Runs nothing of it. Throws PluginRefused, also as
  // PluginNotRead.
  StagedPlugin Stage(const std::string& file, const std::vector<std::string>& allowed) const;

  // What was staged with this SHA-256 before, if its copy is still there and `allowed` as above.
  std::optional<StagedPlugin> Find(const std::string& sha256,
                                   const std::vector<std::string>& allowed) const;
  std::string PathOf(const std::string& sha256) const;
  const std::filesystem::path& directory() const { return directory_; }

  // Another copy with a path of its own, for the loader takes one path, and one file, for one
  // library. Throws PluginNotRead.
  std::string CopyAgain(const StagedPlugin& staged) const;

  // Notes beside a copy that it was probed with success in `circumstances`.
  bool HasPassed(const StagedPlugin& staged, const std::string& circumstances) const;
  void NotePassed(const StagedPlugin& staged, const std::string& circumstances) const;

  // Removes what interrupted processes have left, and the copies that are not in `in_use` (their
  // paths) but for the last few that were. A copy that another process has mapped stays mapped.
  void Clean(const std::set<std::string>& in_use) const;

 private:
  PluginStage(std::filesystem::path directory, bool temporary);
  void Write(const std::filesystem::path& path, const std::string& bytes) const;
  std::filesystem::path PassedPath(const StagedPlugin& staged,
                                   const std::string& circumstances) const;

  std::filesystem::path directory_;
  bool temporary_ = false;
};

}  // namespace iq
