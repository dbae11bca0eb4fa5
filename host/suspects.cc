#include "host/suspects.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>
#include <vector>

#include "host/base/log.h"
#include "host/crash_log.h"
#include "host/plugin_report.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::uint64_t kTakeOverPlace = 0;
constexpr auto kTakeOverMax = 5s;
constexpr auto kStep = 1ms;
constexpr std::chrono::hours kKeep{24 * 7};
constexpr std::chrono::minutes kKeepDecided{10};
constexpr std::string_view kSuspectExtension = ".suspect";
constexpr std::string_view kDecided = "decided";

std::vector<std::string> FilesWith(std::string_view extension, const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == extension) paths.push_back(entry.path());
  }
  return paths;
}

// Held until the end of the scope. Throws std::runtime_error when others have it for too long.
class TakeOverLock {
 public:
  explicit TakeOverLock(LockFile& locks) : locks_(locks) {
    const auto deadline = std::chrono::steady_clock::now() + kTakeOverMax;
    while (!locks_.TryLock(kTakeOverPlace)) {
      if (std::chrono::steady_clock::now() > deadline) {
        throw std::runtime_error("another process takes too long to take over a recorder");
      }
      std::this_thread::sleep_for(kStep);
    }
  }
  TakeOverLock(const TakeOverLock&) = delete;
  TakeOverLock& operator=(const TakeOverLock&) = delete;
  ~TakeOverLock() { locks_.Unlock(kTakeOverPlace); }

 private:
  LockFile& locks_;
};

// What may end a line is not let into one.
std::string OneLine(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, '?');
  return text;
}

std::optional<Suspicion> ReadSuspicion(const std::string& path) {
  std::ifstream file(path);
  Suspicion suspicion;
  for (std::string line; std::getline(file, line);) {
    if (line == kDecided) {
      suspicion.decided = true;
      continue;
    }
    std::istringstream words(line);
    std::string recorder;
    Suspicion death;
    words >> recorder >> death.pid >> death.alone >> death.call >> std::ws;
    if (!words || !std::getline(words, death.plugin)) continue;
    death.deaths = suspicion.deaths + 1;
    suspicion = std::move(death);
  }
  if (suspicion.deaths == 0) return std::nullopt;
  return suspicion;
}

std::size_t CommandsIn(const Recording& recording) {
  std::size_t count = 0;
  for (const Note& note : recording.notes) count += note.commands.size();
  return count;
}

std::optional<std::string> OnlyPlugin(const Recording& recording) {
  if (recording.notes.empty()) return std::nullopt;
  const std::string& plugin = recording.notes.front().plugin;
  const bool only = std::all_of(recording.notes.begin(), recording.notes.end(),
                                [&](const Note& note) { return note.plugin == plugin; });
  if (!only) return std::nullopt;
  return plugin;
}

void LogDeath(const Recording& recording) {
  const std::string process = fmt::format("process {}", recording.pid);
  if (!recording.of_this_boot) {
    log::Warn(fmt::format("{} went down with its machine: held against nobody", process));
    return;
  }
  if (recording.notes.empty()) {
    log::Warn(fmt::format("{} died, in no plugin's hands", process));
    return;
  }
  std::string calls;
  for (const Note& note : recording.notes) {
    calls += fmt::format("{}{}", calls.empty() ? "" : "; ", Describe(note));
  }
  if (recording.stopping) {
    log::Warn(fmt::format("{} was ended while it was stopping, in {}: held against nobody", process,
                          calls));
    return;
  }
  log::About about;
  if (CommandsIn(recording) == 1) about.id = recording.notes.front().commands.front().id;
  if (recording.notes.size() == 1) about.plugin = recording.notes.front().plugin;
  log::Error(fmt::format("{} died in {}", process, calls), about);
}

}  // namespace

Suspects::Suspects(std::string folder, OnDeath on_death)
    : folder_(std::move(folder)), on_death_(std::move(on_death)) {
  if (folder_.empty()) return;
  try {
    locks_.emplace(FlightLockPath(folder_));
    changes_.emplace(
        MappedFile::Open(folder_ + "/changes", sizeof(std::uint64_t), MappedFile::Mode::kShared));
    Reload();
  } catch (const std::exception& error) {
    Complain(error.what());
    changes_.reset();
  }
}

void Suspects::TakeOver() {
  if (!changes_) return;
  try {
    if (LookAround()) TakeOverDead();
    complained_ = false;
  } catch (const std::exception& error) {
    Complain(error.what());
  }
}

// Whether there is a recorder of a dead process.
bool Suspects::LookAround() {
  held_elsewhere_.clear();
  patient_until_ = Clock::now() + kPatience;
  bool any_dead = false;
  for (const std::string& path : FilesWith(kRecorderExtension, folder_)) {
    const auto place = PlaceOfRecorder(path);
    if (!place) continue;
    if (!locks_->HeldByOther(*place)) {
      any_dead = true;
      continue;
    }
    const auto recording = ReadRecorder(path);
    if (!recording) continue;
    for (const Note& note : recording->notes) {
      for (const NotedCommand& command : note.commands) held_elsewhere_.insert(command.identity);
    }
  }
  return any_dead;
}

void Suspects::TakeOverDead() {
  const TakeOverLock lock(*locks_);
  for (const std::string& path : FilesWith(kRecorderExtension, folder_)) {
    const auto place = PlaceOfRecorder(path);
    if (!place || locks_->HeldByOther(*place)) continue;
    // A process that was killed before its recorder was one has not called a plugin.
    if (const auto recording = ReadRecorder(path)) Accuse(fs::path(path).stem(), *recording);
    RemovePluginReport(path);
    fs::remove(path);
  }
}

void Suspects::Accuse(const std::string& recorder, const Recording& recording) {
  if (recording.of_this_boot && !recording.stopping) {
    const bool alone = CommandsIn(recording) == 1;
    for (const Note& note : recording.notes) {
      const std::string line = fmt::format("{} {} {:d} {} {}\n", recorder, recording.pid, alone,
                                           PluginCallName(note.call), OneLine(note.plugin));
      for (const NotedCommand& command : note.commands) {
        AddDeath(command.identity, recorder, line);
      }
    }
    if (const auto plugin = OnlyPlugin(recording)) on_death_(*plugin, recorder);
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(changes_->data())).fetch_add(1);
    if (!recording.notes.empty()) NoteCrash(folder_, recorder, recording);
  }
  LogDeath(recording);
}

void Suspects::AddDeath(const std::string& identity, const std::string& recorder,
                        const std::string& line) {
  const std::string path = PathOf(identity);
  std::ostringstream before;
  before << std::ifstream(path).rdbuf();
  if (before.str().find(recorder) != std::string::npos) return;
  const std::string draft = folder_ + "/suspect.draft";
  std::ofstream file(draft, std::ios::trunc);
  file << before.str() << line << std::flush;
  if (!file) throw std::runtime_error(draft + " cannot be written");
  file.close();
  fs::rename(draft, path);
}

void Suspects::AwaitOthers(const Command& command) {
  if (held_elsewhere_.empty()) return;
  const std::string identity = CrashIdentity(command);
  while (held_elsewhere_.contains(identity) && Clock::now() < patient_until_) {
    std::this_thread::sleep_for(kStep);
    const auto patient_until = patient_until_;
    TakeOver();
    patient_until_ = patient_until;
  }
}

std::optional<Suspicion> Suspects::Find(const Command& command) {
  if (!changes_) return std::nullopt;
  if (changes() != changes_seen_) Reload();
  if (identities_.empty()) return std::nullopt;
  const auto identity = identities_.find(CrashIdentity(command));
  if (identity == identities_.end()) return std::nullopt;
  auto suspicion = ReadSuspicion(PathOf(*identity));
  // Another process has decided it.
  if (!suspicion) identities_.erase(identity);
  return suspicion;
}

void Suspects::MarkDecided(const std::string& identity) {
  // Where it cannot be written the suspicion is only kept for longer.
  std::ofstream(PathOf(identity), std::ios::app) << kDecided << '\n';
}

void Suspects::Remove(const std::string& identity) {
  std::error_code ignored;  // Left behind, it is pruned.
  fs::remove(PathOf(identity), ignored);
  identities_.erase(identity);
}

void Suspects::Prune() {
  if (!changes_) return;
  try {
    for (const std::string& path : FilesWith(kSuspectExtension, folder_)) {
      std::error_code gone;
      const auto age = fs::file_time_type::clock::now() - fs::last_write_time(path, gone);
      if (gone || age < kKeepDecided) continue;
      const auto suspicion = ReadSuspicion(path);
      if (!suspicion || suspicion->decided || age > kKeep) fs::remove(path, gone);
    }
  } catch (const std::exception& error) {
    Complain(error.what());
  }
}

void Suspects::Reload() {
  changes_seen_ = changes();
  identities_.clear();
  try {
    for (const std::string& path : FilesWith(kSuspectExtension, folder_)) {
      identities_.insert(fs::path(path).stem());
    }
  } catch (const std::exception& error) {
    Complain(error.what());
  }
}

std::uint64_t Suspects::changes() const {
  return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(changes_->data())).load();
}

std::string Suspects::PathOf(const std::string& identity) const {
  return fmt::format("{}/{}{}", folder_, identity, kSuspectExtension);
}

void Suspects::Complain(std::string_view what) {
  if (complained_) return;
  complained_ = true;
  log::Warn(fmt::format(
      "plugins.flight_recorder: {}: {}; until that is mended, a message that brings a process down "
      "is not told from the others",
      folder_, what));
}

}  // namespace iq
