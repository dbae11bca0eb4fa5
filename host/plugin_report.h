// What the plugins of a running host serve, where other processes can read it: beside its flight
// recorder, in a file NAME.plugins, one JSON object. The recorder's lock tells whether it lives.
//
// Killed here, what happens? The file is replaced as a whole, so that it is never half written.
// What a dead process leaves is read by nobody, and removed together with its recorder.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/flight_recorder.h"
#include "host/plugin_counts.h"
#include "host/plugin_directory.h"

namespace iq {

inline constexpr std::string_view kServes = "serves";
inline constexpr std::string_view kWaits = "waits";
inline constexpr std::string_view kRefused = "refused";

// What a file of the plugin directory came to. One whose present contents do not serve, while
// earlier ones do, has one of these for each of the two.
struct ReportedPlugin {
  std::string file;
  std::string sha256;  // Empty where the file could not be read, or not trusted.
  std::string state;
  std::string reason;  // Empty where it serves.
  // Of what serves; empty and 0 otherwise.
  std::string plugin;
  std::string version;
  std::uint64_t generation = 0;
  std::vector<std::string> types;
  std::vector<std::string> listeners;  // "PLUGIN.NAME PATTERN"
  OutcomeCounts counts;
};

std::vector<ReportedPlugin> DescribePlugins(const PluginDirectory& directory);

struct PluginReport {
  std::uint32_t pid = 0;
  std::string admin;  // Where the process answers to http, "HOST:PORT"; empty where it does not.
  std::vector<ReportedPlugin> plugins;
};

// Of the processes that live and have their recorder in this folder. None where there is no such
// folder. Throws Unavailable or std::system_error where the folder may not be looked into.
std::vector<PluginReport> ReadPluginReports(const std::string& folder);

// What `processes` of the reports say alike of a file, their counts added up.
struct PluginSummary {
  ReportedPlugin plugin;
  std::int64_t processes = 0;
};

// In the order of the files' names.
std::vector<PluginSummary> SummarizePlugins(const std::vector<PluginReport>& reports);

// What the process of this recorder, which is dead, has left. That it cannot be removed is no
// error.
void RemovePluginReport(const std::string& recorder_path);

// Keeps this process's report. Not thread-safe. Nothing throws: that the folder cannot be written
// is one warning. Without a recorder's file there is no report.
class PluginReporter {
 public:
  // Writes the first report. Both must outlive this object. `admin` is as in PluginReport.
  PluginReporter(const FlightRecorder& recorder, const PluginDirectory& directory,
                 std::string admin);
  PluginReporter(const PluginReporter&) = delete;
  PluginReporter& operator=(const PluginReporter&) = delete;
  ~PluginReporter();  // Removes the file.

  // Writes what has changed, once a second at most: cheap enough to be called all the time.
  void Refresh();

 private:
  using Clock = std::chrono::steady_clock;

  void Write(const std::string& text) const;

  const PluginDirectory& directory_;
  const std::string recorder_path_;
  const std::string admin_;
  Clock::time_point due_{};
  std::string written_;
  bool complained_ = false;
};

}  // namespace iq
