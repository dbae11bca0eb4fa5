// What each worker is letting a plugin do at this moment, noted where it outlives the process: when
// a plugin brings the process down, the note says which plugin it was, and with which messages.
//
// A recorder is a file, mapped into memory: a head, then a slot for each worker, each with room for
// the commands of a batch. Integers are the machine's. A slot's call number is written last when a
// call begins and made 0 first when it has ended, so a process that dies in between has noted all
// of it or nothing.
//
//   head (128 bytes)      magic, version, slots, commands a slot has room for, pid, whether the
//                         process was stopping, the kernel's boot id
//   slot (128 bytes)      call number (0: none), call, count of commands, plugin "name/version"
//     command (128 bytes) identity, index of its first event, id as its producer gave it (cut)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/lock_file.h"
#include "host/base/mapped_file.h"
#include "host/command.h"
#include "host/plugin.h"
#include "host/run_gate.h"

namespace iq {

// What a plugin is called for.
enum class PluginCall : std::uint32_t { kNone, kCreate, kPlan, kHandle, kHandleBatch };

std::string_view PluginCallName(PluginCall call);

// What tells a command from all others, and from itself before it was judged anew: the journal's
// key, or the body's hash where there is no id, and the index of its first event.
std::string CrashIdentity(const Command& command);

struct NotedCommand {
  std::string identity;
  std::string id;  // As its producer gave it, cut. Empty where it gave none.
};

// A call into a plugin.
struct Note {
  std::uint64_t number = 0;  // Of the slot's calls, counted from 1; 0 when none is going on.
  PluginCall call = PluginCall::kNone;
  std::string plugin;  // "name/version", cut.
  std::vector<NotedCommand> commands;
};

// For instance "handle of income/1.0.0 with message 17".
std::string Describe(const Note& note);

// One worker's notes. Begin and End belong to that worker's thread, the rest to any.
class FlightSlot {
 public:
  // In `memory`, zero or a slot as found. Room for `commands_max` commands.
  FlightSlot(std::byte* memory, std::uint32_t commands_max);
  static std::size_t Bytes(std::uint32_t commands_max);

  // No system call, no allocation, no lock.
  void Begin(PluginCall call, std::string_view plugin, std::string_view version,
             std::span<const Command* const> commands) noexcept;
  void End() noexcept;

  std::uint64_t number() const;
  // Whatever the memory holds: what cannot be a note reads as none.
  Note Read() const;

 private:
  std::byte* memory_;
  std::uint32_t commands_max_;
  std::uint64_t calls_ = 0;
};

// A call into a plugin, noted for as long as this object lives. Without a slot it is not.
class NotedCall {
 public:
  NotedCall(FlightSlot* slot, PluginCall call, const Plugin& plugin,
            std::span<const Command* const> commands)
      : slot_(slot) {
    if (slot_ != nullptr) slot_->Begin(call, plugin.name(), plugin.version(), commands);
  }
  NotedCall(const NotedCall&) = delete;
  NotedCall& operator=(const NotedCall&) = delete;
  ~NotedCall() {
    if (slot_ != nullptr) slot_->End();
  }

 private:
  FlightSlot* slot_;
};

// This process's recorder. Thread-safe.
//
// Its folder also has a lock file: a byte of it is held for as long as the process lives. A
// recorder whose byte is free is a dead process's.
class FlightRecorder {
 public:
  struct Size {
    std::uint32_t slots = 1;         // Workers.
    std::uint32_t commands_max = 1;  // The largest batch.
  };

  // Where `folder` cannot be written, it warns, and keeps its notes for this process alone.
  FlightRecorder(const std::string& folder, Size size);
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;
  ~FlightRecorder();  // The process has not died: the file is removed.

  // A free slot, which is free again when the last pointer to it is gone: before this object is.
  // Empty, with a warning, when there is none left.
  std::shared_ptr<FlightSlot> Claim();
  std::deque<FlightSlot>& slots() { return slots_; }

  // Empty when notes are kept for this process alone.
  const std::string& folder() const { return folder_; }
  // Its file's, likewise.
  const std::string& path() const { return path_; }
  RunGate& gate() { return gate_; }

  // From now on an end by force, of a host that does not stop in time, is held against nobody.
  void NoteStopping();
  // The process is about to be ended for the sake of `slot`: the calls of the others are innocent.
  void AccuseOnly(const FlightSlot& slot);

 private:
  MappedFile OpenFile(const std::string& folder, std::size_t bytes);

  Size size_;
  std::string folder_;
  std::string path_;
  std::unique_ptr<LockFile> locks_;
  MappedFile memory_;
  std::deque<FlightSlot> slots_;
  std::mutex mutex_;
  std::vector<FlightSlot*> free_;  // Guarded by mutex_.
  RunGate gate_;
};

// What the recorder of another process says.
struct Recording {
  std::uint32_t pid = 0;
  bool stopping = false;
  bool of_this_boot = false;  // False: the machine went down, and not the process.
  std::vector<Note> notes;
};

// Empty when `path` is no recorder, or not yet one.
std::optional<Recording> ReadRecorder(const std::string& path);

// The files of the folder.
inline constexpr std::string_view kRecorderExtension = ".recorder";
std::string FlightLockPath(const std::string& folder);
// The byte of the lock file that says whether the process of this recorder lives. Empty when the
// name is no recorder's.
std::optional<std::uint64_t> PlaceOfRecorder(const std::string& path);

}  // namespace iq
