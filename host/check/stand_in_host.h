// A worker's way with one command or event, for a plugin under check: decoded, planned and handled
// by the host's own code in a transaction that is then rolled back. Without broker, locks and
// journal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/bus.h"
#include "host/check/check.h"
#include "host/config.h"
#include "host/plugin_directory.h"
#include "host/store/store.h"

namespace iq::check {

// The plugin, loaded and initialised; shut down at the end.
class LoadedPlugin {
 public:
  // Throws PluginRefused.
  explicit LoadedPlugin(const Subject& subject);

  const PluginDirectory& directory() const { return *directory_; }
  const Config& config() const { return config_; }
  const Plugin& plugin() const { return *plugin_; }

 private:
  Config config_;
  std::unique_ptr<PluginDirectory> directory_;
  std::shared_ptr<const Plugin> plugin_;
};

// Used by one thread at a time, and has a database of its own. Handlers are made by the thread that
// calls, and must end there: Restart() before another thread comes, or the end, does that.
class StandInHost {
 public:
  struct Ended {
    Verdict verdict;
    LockKeys keys;
  };

  // `name` is of its database, within the subject's folder. Runs the subject's tables.
  StandInHost(const LoadedPlugin& loaded, const Subject& subject, const std::string& name);

  // Up to the locks: nothing is handled.
  Ended Plan(const std::string& body);
  Ended Handle(const std::string& body);
  // `listener` is a label.
  Ended HandleEvent(const std::string& listener, const std::string& body);

  // Makes new handlers for what comes now, and destroys those that were.
  void Restart();

 private:
  enum class Until { kPlanned, kHandled };
  Ended Run(Decoded decoded, Bus& bus, Until until);
  static Delivery Deliver(const std::string& body);
  Bus& BusFor(const std::string& listener);

  const LoadedPlugin& loaded_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Session> session_;
  std::map<std::string, std::unique_ptr<Bus>> buses_;  // By listener; "" is that of commands.
};

}  // namespace iq::check
