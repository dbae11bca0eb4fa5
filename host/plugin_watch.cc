#include "host/plugin_watch.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "host/base/log.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kTick = 50ms;
// Changes come in groups: one look for all that come so soon after each other, or within so long.
constexpr auto kQuiet = 50ms;
constexpr auto kQuietMax = 500ms;
constexpr auto kUnsettledWait = 250ms;
constexpr auto kRescanEvery = 10s;

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
                                  IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                  IN_ONLYDIR;

bool IsPluginName(std::string_view name) { return name.ends_with(".so") && !name.starts_with('.'); }

}  // namespace

PluginWatch::PluginWatch(PluginDirectory& directory, PluginReporter& reporter)
    : directory_(directory),
      reporter_(reporter),
      inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (inotify_ >= 0) return;
  log::Warn(fmt::format("inotify: {}: changes of {} are seen every {} s only",
                        std::generic_category().message(errno), directory_.path(),
                        std::chrono::seconds(kRescanEvery).count()));
}

PluginWatch::~PluginWatch() {
  if (inotify_ >= 0) close(inotify_);
}

void PluginWatch::Run(const std::atomic<bool>& stop) {
  FollowFolder();
  auto due = Clock::now();  // What changed before the watch began.
  auto first_news = Clock::time_point::max();
  while (!stop) {
    if (AwaitNews()) {
      first_news = std::min(first_news, Clock::now());
      due = std::min(Clock::now() + kQuiet, first_news + kQuietMax);
    }
    if (Clock::now() >= due) {
      FollowFolder();
      Rescan();
      first_news = Clock::time_point::max();
      due = Clock::now() +
            (directory_.unsettled() ? kUnsettledWait : std::chrono::milliseconds(kRescanEvery));
    }
    directory_.Tend();
    reporter_.Refresh();
  }
}

void PluginWatch::Rescan() {
  try {
    directory_.Rescan();
  } catch (const std::exception& error) {
    // Out of memory or of file descriptors: what serves goes on, and the next look may succeed.
    log::Error(fmt::format("plugins.directory: {} could not be looked at: {}", directory_.path(),
                           error.what()));
  }
}

void PluginWatch::FollowFolder() {
  struct stat status {};
  if (inotify_ < 0 || stat(directory_.path().c_str(), &status) != 0) return;
  if (watch_ >= 0 && status.st_dev == device_ && status.st_ino == inode_) return;
  if (watch_ >= 0) inotify_rm_watch(inotify_, watch_);
  watch_ = inotify_add_watch(inotify_, directory_.path().c_str(), kEvents);
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

// Waits for a tick at most. True when something has happened that concerns a plugin.
bool PluginWatch::AwaitNews() {
  if (inotify_ < 0) {
    std::this_thread::sleep_for(kTick);
    return false;
  }
  pollfd event{inotify_, POLLIN, 0};
  constexpr int kTickMs = static_cast<int>(std::chrono::milliseconds(kTick).count());
  return poll(&event, 1, kTickMs) == 1 && TakeEvents();
}

bool PluginWatch::TakeEvents() {
  bool any = false;
  alignas(inotify_event) std::array<char, 16 * 1024> events{};
  for (;;) {
    const ssize_t size = read(inotify_, events.data(), events.size());
    if (size <= 0) return any;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      inotify_event event{};
      std::memcpy(&event, events.data() + at, sizeof event);
      const char* const name = events.data() + at + sizeof event;
      // Without a name it is about the folder itself, or too much has happened to tell.
      any = any || event.len == 0 || IsPluginName(name);
      if ((event.mask & IN_IGNORED) != 0 && event.wd == watch_) watch_ = -1;
      at += sizeof event + event.len;
    }
  }
}

}  // namespace iq
