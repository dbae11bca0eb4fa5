// Whether a new generation of a plugin works at all, told from its first commands.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>

#include "host/outcome.h"

namespace iq {

// Thread-safe.
class PluginTrial {
 public:
  // An outcome of the command with this uuid that the plugin's own code came to. A refusal counts
  // as work done; that the handler asked for another try, or ran out of time, counts neither way.
  void Note(const std::string& uuid, const Verdict& verdict);

  // How many processes have died in the plugin so far.
  void NoteDeaths(std::uint64_t deaths);

  // Several commands failed, or more than one process died, by the plugin's doing, and none had
  // been done before.
  bool failed() const { return failed_; }
  // It has done a command, or has had its time without failing.
  bool passed() const;

 private:
  using Clock = std::chrono::steady_clock;

  const Clock::time_point began_ = Clock::now();
  std::atomic<bool> done_{false};
  std::atomic<bool> failed_{false};
  std::atomic<std::uint32_t> outcomes_{0};
  std::mutex mutex_;
  std::set<std::string> failures_;  // Their uuids: one bad command may fail again and again.
};

}  // namespace iq
