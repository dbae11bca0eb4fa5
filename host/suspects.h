// Which commands were in a plugin's hands when a process died: looked up in the recorders of dead
// processes, and shared by all processes of the folder until the command is decided.
//
// Beside the recorders the folder has
//   ID.suspect    for each suspect, a line for each death: the recorder's name, the pid, 1 when the
//                 suspect was alone in its process or else 0, the call, the plugin; and the line
//                 "decided" once the command has its verdict
//   crashes       what processes died of (crash_log.h)
//   NAME.plugins  what the recorder's process serves (plugin_report.h)
//   changes       a count, mapped by all, that grows when there are new suspects
//   locks         byte 0 is held while a recorder is taken over
//
// Killed here, what happens? A recorder is removed after its deaths are written, and a death that
// is written already is not written again, so each counts once. A suspicion outlives the verdict
// for a while: until the ack is through the command may come again, and its deaths still count.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "host/base/lock_file.h"
#include "host/base/mapped_file.h"
#include "host/command.h"
#include "host/flight_recorder.h"

namespace iq {

// What is held against a command.
struct Suspicion {
  std::uint32_t deaths = 0;
  bool decided = false;  // The command has had its verdict since.
  // Of the last death.
  bool alone = false;  // It was the only command in a plugin's hands.
  std::string pid;
  std::string call;
  std::string plugin;  // "name/version".

  // It has brought down a process of its own, and not for the first time.
  bool convicted() const { return deaths >= 2 && alone; }
};

// Not thread-safe: one per worker. Nothing throws: what goes wrong with the folder is logged, and
// fails no command.
class Suspects {
 public:
  // Called with the plugin ("name/version") in whose hands alone a process has died, and with what
  // names that death: a host that is killed meanwhile is told again.
  using OnDeath = std::function<void(const std::string& plugin, const std::string& death)>;

  // `folder` as FlightRecorder::folder has it; where that is empty there are no suspects.
  Suspects(std::string folder, OnDeath on_death);

  // Turns the notes of dead processes into suspicions. For when a delivery comes again: a process
  // may have died of it.
  void TakeOver();

  // Waits while a living process has a command that came again to us: it may be about to die, its
  // connections gone before its lock. Never longer than kPatience after a TakeOver.
  void AwaitOthers(const Command& command);
  static constexpr std::chrono::milliseconds kPatience{100};

  std::optional<Suspicion> Find(const Command& command);
  // The command with this CrashIdentity has its verdict, and is about to be settled.
  void MarkDecided(const std::string& identity);
  // It is settled.
  void Remove(const std::string& identity);

  // Removes the suspicions of decided commands whose process did not live to do so, and those
  // of a week ago.
  void Prune();

 private:
  using Clock = std::chrono::steady_clock;

  bool LookAround();
  void TakeOverDead();
  void Accuse(const std::string& recorder, const Recording& recording);
  void AddDeath(const std::string& identity, const std::string& recorder, const std::string& line);
  void Reload();
  std::uint64_t changes() const;
  std::string PathOf(const std::string& identity) const;
  void Complain(std::string_view what);

  const std::string folder_;
  const OnDeath on_death_;
  std::optional<LockFile> locks_;
  std::optional<MappedFile> changes_;
  std::uint64_t changes_seen_ = 0;
  std::set<std::string> identities_;      // With a suspicion, as of changes_seen_.
  std::set<std::string> held_elsewhere_;  // In a living process's notes, as last seen.
  Clock::time_point patient_until_{};
  bool complained_ = false;
};

}  // namespace iq
