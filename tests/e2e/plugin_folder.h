// A plugin directory that a test puts together.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <string>

namespace iq::test {

inline constexpr const char* kBillingPlugins = IQ_BINARY_DIR "/plugins/";
inline constexpr const char* kTestPlugins = IQ_BINARY_DIR "/test_plugins/";

// Removed with its contents at the end.
class PluginFolder {
 public:
  // The billing plugins, and these of the test plugins by file name.
  explicit PluginFolder(std::initializer_list<const char*> more = {}) {
    std::string pattern = "/tmp/iq-plugins-XXXXXX";
    path_ = mkdtemp(pattern.data());
    for (const char* name : {"income.so", "withdraw.so", "transfer.so", "lock.so"}) {
      Link(kBillingPlugins, name, name);
    }
    for (const char* name : more) Link(kTestPlugins, name, name);
  }
  PluginFolder(const PluginFolder&) = delete;
  PluginFolder& operator=(const PluginFolder&) = delete;
  ~PluginFolder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }

  // Makes `file` of `folder` appear as `name`.
  void Link(const std::string& folder, const std::string& file, const std::string& name) {
    std::filesystem::create_symlink(folder + file, path_ / name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace iq::test
