// The plugins as the page shows them: what the hosts of this machine report, and what the plugins
// say of their types and events.
#pragma once

#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>

#include "host/config.h"

namespace iq {

// Thread-safe.
class PluginsApi {
 public:
  // `config` must outlive this object.
  explicit PluginsApi(const Config& config) : config_(config) {}

  // Throws Unavailable and std::system_error as ReadPluginReports does.
  nlohmann::ordered_json Describe();

 private:
  using Clock = std::chrono::steady_clock;

  nlohmann::ordered_json Served(const nlohmann::ordered_json& files);

  const Config& config_;
  std::mutex mutex_;  // Guards what follows; held while a child process looks.
  nlohmann::ordered_json served_;
  nlohmann::ordered_json of_files_;  // What the answer was found out of.
  Clock::time_point asked_at_{};
};

}  // namespace iq
