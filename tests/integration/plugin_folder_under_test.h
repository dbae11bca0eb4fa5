// A plugin directory, and one for its private copies, that nobody else uses.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "host/config.h"

namespace iq {

inline constexpr const char* kBuiltPlugins = IQ_BINARY_DIR "/test_plugins/";

// Removed with its contents at the end.
class PluginFolderUnderTest {
 public:
  PluginFolderUnderTest() {
    std::string pattern = "/tmp/iq-plugin-folder-XXXXXX";
    root_ = mkdtemp(pattern.data());
    std::filesystem::create_directory(root_ / "drop");
    std::filesystem::permissions(root_ / "drop", std::filesystem::perms::owner_all);
    config_.directory = root_ / "drop";
    config_.live = root_ / "live";
  }
  PluginFolderUnderTest(const PluginFolderUnderTest&) = delete;
  PluginFolderUnderTest& operator=(const PluginFolderUnderTest&) = delete;
  ~PluginFolderUnderTest() { std::filesystem::remove_all(root_); }

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path drop() const { return root_ / "drop"; }
  std::filesystem::path live() const { return root_ / "live"; }
  PluginsConfig& config() { return config_; }

  // Puts a test plugin there under `name`, at once and whole; returns its path.
  std::string Put(const std::string& built, const std::string& name) {
    const auto unfinished = root_ / "unfinished";
    std::filesystem::copy_file(kBuiltPlugins + built + ".so", unfinished);
    std::filesystem::permissions(unfinished, std::filesystem::perms::owner_all);
    std::filesystem::rename(unfinished, drop() / name);
    return drop() / name;
  }

 private:
  std::filesystem::path root_;
  PluginsConfig config_;
};

}  // namespace iq
