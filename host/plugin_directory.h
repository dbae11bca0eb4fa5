// The plugins of a folder: which files of it serve, in which generation, and which type of command
// goes to which of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/base/log.h"
#include "host/config.h"
#include "host/plugin.h"
#include "host/plugin_child.h"
#include "host/plugin_history.h"
#include "host/plugin_inspection.h"
#include "host/plugin_stage.h"
#include "host/routes.h"

namespace iq {

// What one file of the folder came to.
struct PluginFile {
  std::string file;
  std::string sha256;                    // Empty where the file could not be read, or not trusted.
  std::shared_ptr<const Plugin> plugin;  // The generation that serves; may be older than the file.
  // Why the file as it is does not serve: a sentence that begins with its name. Empty when it does.
  std::string reason;
  bool waits = false;  // For another file to give up a type.
};

// Every *.so of the directory whose name does not begin with a dot is a plugin. A file that is
// refused, or that claims a type that another one serves, costs nobody else anything: what it
// served with before goes on.
class PluginDirectory {
 public:
  enum class Use {
    kOnce,   // Look once and log nothing.
    kServe,  // Follow the directory with Rescan and Tend, and log what happens.
  };

  // Looks at the directory, in the order of the names. Throws UsageError when there is no such
  // directory, or no place for the private copies.
  explicit PluginDirectory(const PluginsConfig& config, Use use = Use::kOnce);
  PluginDirectory(const PluginDirectory&) = delete;
  PluginDirectory& operator=(const PluginDirectory&) = delete;
  ~PluginDirectory();

  // Takes in what has changed in the directory. Takes as long as the probes of new files do.
  void Rescan();
  // Looks after the generations: ends trials, shuts down what nobody uses any more. Cheap.
  void Tend();
  // Whether some file was left alone because it was just being written: Rescan again soon.
  bool unsettled() const { return unsettled_; }

  // Any thread, also during Rescan and Tend, which belong to one.
  std::shared_ptr<const Routes> routes() const { return routes_.load(); }
  std::vector<PluginFile> files() const { return *files_.load(); }
  const std::string& path() const { return config_.directory; }

  // A process died in the plugin with this Plugin::label; `death` names which one. Any thread.
  void NoteDeath(const std::string& label, const std::string& death) const;

  // Those that serve.
  std::vector<std::shared_ptr<const Plugin>> plugins() const;
  // One sentence for each file that does not serve as it is.
  std::vector<std::string> refused() const;

 private:
  // A file's past and present.
  struct Entry {
    std::string judged;  // What the file was like when its contents were judged.
    StagedPlugin staged;
    std::shared_ptr<Plugin> serving;
    std::shared_ptr<Plugin> before;   // Takes over again if `serving` fails its first commands.
    std::shared_ptr<Plugin> waiting;  // Not initialised.
    std::string reason;
    std::string good;  // The last generation of this process that did its work: its SHA-256.
    // Of all generations, also before the file was taken away and came back.
    std::uint64_t generations = 0;
    std::set<std::string> unique_symbols;
    bool present = false;
  };
  using Entries = std::map<std::string, Entry>;  // By path.

  // A file that is about to be judged.
  struct Candidate {
    Entries::value_type* entry;
    PluginInspection inspection;
    std::optional<PluginChild> probe;
  };

  std::optional<std::vector<std::string>> List();
  void TakeAway(const std::string& file, Entry& entry);
  std::optional<Candidate> Examine(const std::string& file);
  Candidate Inspect(Entries::value_type& named);
  bool MustProbe(const StagedPlugin& staged) const;
  void RestoreGood(Entries::value_type& named);
  bool Read(const std::string& file, Entry& entry);
  void Judge(Candidate& candidate);
  void Qualify(Candidate& candidate);
  std::shared_ptr<Plugin> Map(const Candidate& candidate);
  void Offer(const std::string& file, Entry& entry, std::shared_ptr<Plugin> plugin);
  void Install(const std::string& file, Entry& entry, std::shared_ptr<Plugin> plugin);
  void EndTrial(const std::string& file, Entry& entry);
  void NoteGood(const std::string& file, Entry& entry);
  void RollBack(const std::string& file, Entry& entry);
  void RetryWaiting();
  std::string Conflict(const std::string& file, const Plugin& plugin) const;
  void Refuse(Entry& entry, std::string reason);
  void Say(log::Level level, std::string text);
  void Retire(std::shared_ptr<Plugin> plugin);
  void Publish();

  const PluginsConfig config_;
  const Use use_;
  const std::string circumstances_;  // Of a probe: the same again, the same result.
  PluginStage stage_;
  const PluginHistory history_;
  Entries entries_;
  std::set<std::string> mapped_;  // SHA-256 sums: the loader knows their copies.
  std::set<std::string, std::less<>> known_types_;
  std::vector<std::shared_ptr<Plugin>> retired_;  // Still in use somewhere, or not yet shut down.
  std::vector<std::pair<log::Level, std::string>> unsaid_;
  bool first_look_ = true;
  bool unreadable_ = false;
  bool unsettled_ = false;
  std::atomic<std::shared_ptr<const Routes>> routes_{std::make_shared<const Routes>()};
  std::atomic<std::shared_ptr<const std::vector<PluginFile>>> files_{
      std::make_shared<const std::vector<PluginFile>>()};
};

}  // namespace iq
