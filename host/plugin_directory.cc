#include "host/plugin_directory.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "host/base/error.h"
#include "host/base/json_text.h"
#include "host/base/log.h"
#include "host/metrics.h"
#include "host/plugin_probe.h"
#include "host/version.h"

namespace iq {
namespace {

// What is wrong with a file that was written to less than this ago may be that it is not finished.
constexpr std::time_t kUnsettledS = 2;

std::string_view TypeOf(const iq_command_type& command) {
  return {command.type.ptr, command.type.len};
}

// What nobody else may have while the plugin serves.
std::vector<std::string> ClaimsOf(const Plugin& plugin) {
  std::vector<std::string> claims;
  for (const iq_command_type& command : plugin.commands()) {
    claims.push_back(fmt::format("type \"{}\"", TypeOf(command)));
  }
  for (const Listener& listener : plugin.listeners()) {
    claims.push_back(fmt::format("listener \"{}\"", listener.label));
  }
  return claims;
}

std::string Claims(const Plugin& plugin) {
  return fmt::format("{}", fmt::join(ClaimsOf(plugin), ", "));
}

std::string Described(const Plugin& plugin) {
  constexpr std::size_t kShortSum = 12;
  return fmt::format("plugin {} (generation {}, sha256 {})", plugin.label(), plugin.generation(),
                     plugin.sha256().substr(0, kShortSum));
}

// What differs when the file has changed. Empty: it cannot be looked at.
std::string LooksOf(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return {};
  return fmt::format("{} {} {} {}.{} {}.{}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                     status.st_ctim.tv_nsec);
}

bool WasJustWritten(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return false;
  const std::time_t now = std::time(nullptr);
  const std::time_t written = std::max(status.st_mtim.tv_sec, status.st_ctim.tv_sec);
  return written <= now && now - written < kUnsettledS;
}

// What is mapped stays mapped.
class RemovedAtEnd {
 public:
  explicit RemovedAtEnd(std::string path) : path_(std::move(path)) {}
  RemovedAtEnd(const RemovedAtEnd&) = delete;
  RemovedAtEnd& operator=(const RemovedAtEnd&) = delete;
  ~RemovedAtEnd() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

 private:
  const std::string path_;
};

PluginStage OpenStage(const PluginsConfig& config, PluginDirectory::Use use) {
  return use == PluginDirectory::Use::kServe ? PluginStage(config.live)
                                             : PluginStage::Borrowed(config.live);
}

std::string CircumstancesOf(const PluginsConfig& config) {
  return fmt::format("{} {}", kVersion, JsonText(nlohmann::json(config.settings)));
}

}  // namespace

PluginDirectory::PluginDirectory(const PluginsConfig& config, Use use)
    : config_(config),
      use_(use),
      circumstances_(CircumstancesOf(config)),
      stage_(OpenStage(config, use)),
      history_(stage_.directory()) {
  Rescan();
  first_look_ = false;
  unsettled_ = false;
  if (use_ == Use::kOnce) return;
  std::set<std::string> in_use;
  for (const auto& [file, entry] : entries_) {
    in_use.insert(entry.staged.path);
    if (const auto good = history_.GoodOf(file)) in_use.insert(stage_.PathOf(*good));
  }
  stage_.Clean(in_use);
  history_.Clean();
}

PluginDirectory::~PluginDirectory() = default;

std::vector<std::shared_ptr<const Plugin>> PluginDirectory::plugins() const {
  std::vector<std::shared_ptr<const Plugin>> plugins;
  for (const PluginFile& each : files()) {
    if (each.plugin != nullptr) plugins.push_back(each.plugin);
  }
  return plugins;
}

std::vector<std::string> PluginDirectory::refused() const {
  std::vector<std::string> refused;
  for (const PluginFile& each : files()) {
    if (!each.reason.empty()) refused.push_back(each.reason);
  }
  return refused;
}

// In the order of their names. Nothing when the directory cannot be read: what serves goes on.
std::optional<std::vector<std::string>> PluginDirectory::List() {
  std::error_code error;
  std::vector<std::string> files;
  for (auto each = std::filesystem::directory_iterator(config_.directory, error);
       !error && each != std::filesystem::directory_iterator(); each.increment(error)) {
    const auto& path = each->path();
    if (path.extension() == ".so" && !path.filename().string().starts_with('.')) {
      files.push_back(path.string());
    }
  }
  if (error && first_look_) {
    throw UsageError(fmt::format(
        "plugins.directory: cannot read {}: {}; build the plugins, or name the folder they are in",
        config_.directory, error.message()));
  }
  if (error && !std::exchange(unreadable_, true)) {
    log::Error(fmt::format("plugins.directory: cannot read {}: {}; what serves goes on",
                           config_.directory, error.message()));
  }
  if (error) return std::nullopt;
  unreadable_ = false;
  std::sort(files.begin(), files.end());
  return files;
}

void PluginDirectory::Rescan() {
  unsettled_ = false;
  const auto files = List();
  if (!files) return;
  for (auto& [file, entry] : entries_) {
    if (!std::binary_search(files->begin(), files->end(), file)) TakeAway(file, entry);
  }
  // All probes at once, so that several that hang cost no more time than one.
  std::vector<Candidate> candidates;
  for (const std::string& file : *files) {
    if (auto candidate = Examine(file)) candidates.push_back(std::move(*candidate));
  }
  for (Candidate& candidate : candidates) Judge(candidate);
  RetryWaiting();
  Publish();
}

void PluginDirectory::TakeAway(const std::string& file, Entry& entry) {
  if (!std::exchange(entry.present, false)) return;
  if (entry.serving != nullptr) {
    Say(log::Level::kWarn,
        fmt::format("{} is gone with its file {}: what is for its {} waits until another serves it",
                    Described(*entry.serving), file, Claims(*entry.serving)));
  }
  if (use_ == Use::kServe) history_.Forget(file, entry.staged.sha256);
  Retire(std::move(entry.serving));
  Retire(std::move(entry.before));
  Entry absent;
  absent.generations = entry.generations;
  absent.unique_symbols = std::move(entry.unique_symbols);
  entry = std::move(absent);
}

// The file and, where it must be probed, its probe; nothing when there is nothing to judge.
std::optional<PluginDirectory::Candidate> PluginDirectory::Examine(const std::string& file) {
  Entries::value_type& named = *entries_.try_emplace(file).first;
  Entry& entry = named.second;
  entry.present = true;
  if (!Read(file, entry)) return std::nullopt;
  entry.waiting = nullptr;
  if (entry.serving != nullptr && entry.serving->sha256() == entry.staged.sha256) {
    entry.reason.clear();
    return std::nullopt;
  }
  if (first_look_ && use_ == Use::kServe) RestoreGood(named);
  // Without anything in its place it has to do.
  if (entry.serving != nullptr && history_.HasFailed(entry.staged.sha256)) {
    Refuse(entry, fmt::format("{}: its first commands failed before; to have it tried again, take "
                              "the file away, and put it there anew once the log says it is gone",
                              file));
    return std::nullopt;
  }
  try {
    return Inspect(named);
  } catch (const PluginRefused& refusal) {
    Refuse(entry, refusal.what());
    return std::nullopt;
  }
}

// Where the file is not what did its work in the processes before, that serves until the file does,
// and takes over again if the file fails.
void PluginDirectory::RestoreGood(Entries::value_type& named) {
  auto& [file, entry] = named;
  const auto sha256 = history_.GoodOf(file);
  if (!sha256 || *sha256 == entry.staged.sha256) return;
  const auto good = stage_.Find(*sha256, config_.allow);
  if (!good) return;
  const StagedPlugin staged = std::exchange(entry.staged, *good);
  try {
    Candidate refuge = Inspect(named);
    // It would keep its symbols from the file's contents.
    if (refuge.inspection.unique_symbols.empty()) Qualify(refuge);
  } catch (const PluginRefused&) {
    entry.waiting = nullptr;  // It is no refuge now.
  }
  entry.staged = staged;
}

bool PluginDirectory::MustProbe(const StagedPlugin& staged) const {
  return !config_.prober.empty() && !stage_.HasPassed(staged, circumstances_);
}

// What may be probed, and its probe. Throws PluginRefused.
PluginDirectory::Candidate PluginDirectory::Inspect(Entries::value_type& named) {
  auto& [file, entry] = named;
  Candidate candidate{&named, InspectPlugin(file, entry.staged.path), std::nullopt};
  if (MustProbe(entry.staged)) {
    candidate.probe.emplace(StartPluginProbe(config_.prober, entry.staged.path, config_.settings));
  }
  return candidate;
}

// True when there is something new in the file, and a copy of it.
bool PluginDirectory::Read(const std::string& file, Entry& entry) {
  const std::string looks = LooksOf(file);
  if (!looks.empty() && looks == entry.judged) return false;
  const auto refuse = [&](const std::string& judged, const char* reason) {
    const bool is_in_flux = !first_look_ && WasJustWritten(file);
    unsettled_ = unsettled_ || is_in_flux;
    if (is_in_flux) return;
    entry.judged = judged;
    entry.staged = {};
    entry.waiting = nullptr;
    Refuse(entry, reason);
  };
  try {
    entry.staged = stage_.Stage(file, config_.allow);
    entry.judged = looks;
    return true;
  } catch (const PluginNotRead& refusal) {
    refuse({}, refusal.what());
  } catch (const PluginRefused& refusal) {
    refuse(looks, refusal.what());
  }
  return false;
}

void PluginDirectory::Judge(Candidate& candidate) {
  try {
    Qualify(candidate);
  } catch (const PluginRefused& refusal) {
    Refuse(candidate.entry->second, refusal.what());
  }
}

// Throws PluginRefused.
void PluginDirectory::Qualify(Candidate& candidate) {
  auto& [file, entry] = *candidate.entry;
  if (candidate.probe) {
    if (const auto fault = candidate.probe->Wait().fault) {
      throw PluginRefused(fmt::format("{}: {}", file, *fault));
    }
    stage_.NotePassed(entry.staged, circumstances_);
  }
  Offer(file, entry, Map(candidate));
}

// Throws PluginRefused.
std::shared_ptr<Plugin> PluginDirectory::Map(const Candidate& candidate) {
  auto& [file, entry] = *candidate.entry;
  PluginImage image{file, entry.staged.path, entry.staged.sha256, ++entry.generations};
  for (const std::string& symbol : candidate.inspection.unique_symbols) {
    if (entry.unique_symbols.insert(symbol).second) continue;
    if (mapped_.contains(entry.staged.sha256)) continue;  // It shares with nothing but itself.
    throw PluginRefused(
        fmt::format("{}: it would share {} with the version before; build it with -fno-gnu-unique, "
                    "as iq_add_plugin does, or restart iq",
                    file, symbol));
  }
  if (mapped_.insert(image.sha256).second) return Plugin::Map(std::move(image), config_.settings);
  image.path = stage_.CopyAgain(entry.staged);
  const RemovedAtEnd copy(image.path);
  return Plugin::Map(std::move(image), config_.settings);
}

// The first thing that `plugin`, as `file`, cannot have, as a sentence; empty when there is none.
std::string PluginDirectory::Conflict(const std::string& file, const Plugin& plugin) const {
  for (const auto& [other_file, other] : entries_) {
    if (other_file == file || other.serving == nullptr) continue;
    const std::vector<std::string> theirs = ClaimsOf(*other.serving);
    for (const std::string& ours : ClaimsOf(plugin)) {
      if (std::find(theirs.begin(), theirs.end(), ours) == theirs.end()) continue;
      return fmt::format("{}: its {} is already served by {}; remove one of the two files", file,
                         ours, other_file);
    }
  }
  return {};
}

// Throws PluginRefused.
void PluginDirectory::Offer(const std::string& file, Entry& entry, std::shared_ptr<Plugin> plugin) {
  std::set<std::string> claims;
  for (const std::string& claim : ClaimsOf(*plugin)) {
    if (claims.insert(claim).second) continue;
    throw PluginRefused(fmt::format("{}: it offers the {} twice", file, claim));
  }
  const std::string conflict = Conflict(file, *plugin);
  if (!conflict.empty()) {
    entry.waiting = std::move(plugin);
    throw PluginRefused(conflict);
  }
  plugin->Init();
  Install(file, entry, std::move(plugin));
}

void PluginDirectory::Install(const std::string& file, Entry& entry,
                              std::shared_ptr<Plugin> plugin) {
  const std::string replaces =
      entry.serving == nullptr ? "" : fmt::format("replaces {} and ", Described(*entry.serving));
  Say(log::Level::kInfo,
      fmt::format("{} {}serves {} from {}", Described(*plugin), replaces, Claims(*plugin), file));
  // What was itself on trial is no refuge.
  const bool has_passed = entry.serving != nullptr && entry.serving->trial().passed();
  if (has_passed) NoteGood(file, entry);
  if (entry.before == nullptr || has_passed) {
    Retire(std::exchange(entry.before, std::move(entry.serving)));
  } else {
    Retire(std::move(entry.serving));
  }
  entry.serving = std::move(plugin);
  entry.reason.clear();
  Publish();
}

// What had to wait gets its turn when the types it wants have become free.
void PluginDirectory::RetryWaiting() {
  for (bool any = true; any;) {
    any = false;
    for (auto& [file, entry] : entries_) {
      if (entry.waiting == nullptr || !Conflict(file, *entry.waiting).empty()) continue;
      any = true;
      try {
        Offer(file, entry, std::exchange(entry.waiting, nullptr));
      } catch (const PluginRefused& refusal) {
        Refuse(entry, refusal.what());
      }
    }
  }
}

void PluginDirectory::RollBack(const std::string& file, Entry& entry) {
  const std::string conflict = Conflict(file, *entry.before);
  if (!conflict.empty()) {
    Say(log::Level::kError,
        fmt::format("{} failed its first commands and keeps serving all the same: {} cannot "
                    "take over again: {}",
                    Described(*entry.serving), Described(*entry.before), conflict));
    Publish();
    Retire(std::move(entry.before));
    return;
  }
  history_.NoteFailed(entry.serving->sha256());
  entry.reason = fmt::format("{}: {} failed its first commands; mend it and put it there again",
                             file, Described(*entry.serving));
  Say(log::Level::kError, fmt::format("plugin rolled back: {}; {} serves again", entry.reason,
                                      Described(*entry.before)));
  Retire(std::exchange(entry.serving, std::move(entry.before)));
  RetryWaiting();
  Publish();
}

void PluginDirectory::Tend() {
  for (auto& [file, entry] : entries_) {
    if (entry.serving != nullptr) EndTrial(file, entry);
  }
  // Nobody can come by what only this list knows.
  std::erase_if(retired_, [](const auto& plugin) {
    if (plugin.use_count() > 1) return false;
    log::Debug(fmt::format("{} is shut down", Described(*plugin)));
    return true;
  });
}

void PluginDirectory::EndTrial(const std::string& file, Entry& entry) {
  PluginTrial& trial = entry.serving->trial();
  if (entry.before != nullptr) trial.NoteDeaths(history_.DeathsOf(entry.serving->sha256()));
  if (trial.failed() && entry.before != nullptr) {
    RollBack(file, entry);
  } else if (trial.passed()) {
    NoteGood(file, entry);
    Retire(std::move(entry.before));
  }
}

// Of what serves and has passed its trial.
void PluginDirectory::NoteGood(const std::string& file, Entry& entry) {
  if (entry.good == entry.serving->sha256()) return;
  entry.good = entry.serving->sha256();
  history_.NoteGood(file, entry.good);
}

void PluginDirectory::NoteDeath(const std::string& label, const std::string& death) const {
  Metrics::OfThisProcess().CountPluginCrash(label);
  for (const PluginFile& each : files()) {
    if (each.plugin == nullptr || each.plugin->label() != label) continue;
    const std::string& sha256 = each.plugin->sha256();
    if (history_.GoodOf(each.file) != sha256) history_.NoteDeath(sha256, death);
  }
}

void PluginDirectory::Refuse(Entry& entry, std::string reason) {
  if (reason == entry.reason) return;
  entry.reason = std::move(reason);
  const std::string but =
      entry.serving == nullptr ? "" : fmt::format("; {} keeps serving", Described(*entry.serving));
  Say(log::Level::kError, fmt::format("plugin refused: {}{}", entry.reason, but));
}

// Nobody is to read of what is not yet so: see Publish.
void PluginDirectory::Say(log::Level level, std::string text) {
  if (use_ == Use::kServe) unsaid_.emplace_back(level, std::move(text));
}

void PluginDirectory::Retire(std::shared_ptr<Plugin> plugin) {
  if (plugin != nullptr) retired_.push_back(std::move(plugin));
}

void PluginDirectory::Publish() {
  auto routes = std::make_shared<Routes>();
  auto files = std::make_shared<std::vector<PluginFile>>();
  for (const auto& [file, entry] : entries_) {
    if (!entry.present) continue;
    files->push_back(
        {file, entry.staged.sha256, entry.serving, entry.reason, entry.waiting != nullptr});
    if (entry.serving == nullptr) continue;
    for (const iq_command_type& command : entry.serving->commands()) {
      routes->types.emplace(TypeOf(command), Route{entry.serving, &command});
      known_types_.emplace(TypeOf(command));
    }
    for (const Listener& listener : entry.serving->listeners()) {
      routes->listeners.emplace(listener.label,
                                Route{entry.serving, &listener.face, listener.pattern});
    }
  }
  for (const std::string& type : known_types_) {
    if (!routes->types.contains(type)) routes->gone.insert(type);
  }
  routes_.store(std::move(routes));
  files_.store(std::move(files));
  for (const auto& [level, text] : std::exchange(unsaid_, {})) log::Write(level, text);
}

}  // namespace iq
