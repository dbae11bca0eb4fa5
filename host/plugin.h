// One generation of a plugin: a library that is mapped, checked and initialised.
#pragma once

#include <iq/abi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "host/plugin_counts.h"
#include "host/plugin_trial.h"

namespace iq {

// The file cannot serve; what() is one sentence that names it.
class PluginRefused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A library, and which file it came from.
struct PluginImage {
  std::string file;  // As people know it.
  std::string path;  // What the loader maps: never the file itself.
  std::string sha256;
  std::uint64_t generation = 1;  // Of the file, in this process.
};

// One of a plugin's listeners.
struct Listener {
  std::string label;     // "PLUGIN.NAME"
  std::string pattern;   // Of names of events; see TopicMatches.
  iq_command_type face;  // How it is called: an event comes to it as a command does.
};

// Stays mapped until the process ends, because code and data of it may be reached from anywhere.
// Its callbacks follow the threads of sdk/iq/abi.h; what is here is read-only after Init.
class Plugin {
 public:
  using Settings = std::map<std::string, std::string>;

  // Maps the library, in which ElfFault finds nothing, and reads its table; of its code, static
  // constructors and the entry point run. A path is to be mapped once in a process.
  // `settings_by_plugin` is plugins.settings of the configuration. Throws PluginRefused.
  static std::shared_ptr<Plugin> Map(PluginImage image,
                                     const std::map<std::string, Settings>& settings_by_plugin);
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;
  ~Plugin();  // Calls the plugin's shutdown when Init has succeeded.

  // Calls the plugin's init; once, before any handler is made. Throws PluginRefused.
  void Init();

  const std::string& file() const { return image_.file; }
  const std::string& sha256() const { return image_.sha256; }
  std::uint64_t generation() const { return image_.generation; }
  const std::string& name() const { return name_; }
  const std::string& version() const { return version_; }
  // "name/version", as the journal and dead letters give it.
  std::string label() const { return name_ + "/" + version_; }

  // Fields that the plugin's own header did not know are zero.
  const std::vector<iq_command_type>& commands() const { return commands_; }
  const std::vector<Listener>& listeners() const { return listeners_; }
  const Settings& settings() const { return settings_; }

  // What the plugin is given.
  const iq_host* host() const;

  // What it has for this id of its get_extension; nullptr for nothing. After Init; any thread.
  // Throws PluginRefused where it throws.
  const void* Extension(std::string_view id) const;

  // How its first commands went.
  PluginTrial& trial() const { return *trial_; }

  // What became of what it was given.
  PluginCounts& counts() const { return counts_; }

 private:
  struct Face;
  struct Library;
  explicit Plugin(PluginImage image);
  void ReadTable(const iq_plugin* written);
  void ReadCommands();
  void ReadListeners();

  PluginImage image_;
  std::unique_ptr<Library> library_;
  std::unique_ptr<Face> face_;
  std::unique_ptr<PluginTrial> trial_;
  mutable PluginCounts counts_;
  iq_plugin table_{};
  std::string name_;
  std::string version_;
  std::vector<iq_command_type> commands_;
  std::vector<Listener> listeners_;
  Settings settings_;
  bool initialised_ = false;
};

}  // namespace iq
