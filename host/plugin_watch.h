// The thread that keeps a PluginDirectory up to date with its folder, and the report of it as well.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>

#include "host/plugin_directory.h"
#include "host/plugin_report.h"

namespace iq {

// Uses inotify, and a look at the folder now and then: network and overlay file systems tell of no
// changes, and those of a link's target are not the folder's.
class PluginWatch {
 public:
  // Both must outlive this object, and belong to Run while it runs.
  PluginWatch(PluginDirectory& directory, PluginReporter& reporter);
  PluginWatch(const PluginWatch&) = delete;
  PluginWatch& operator=(const PluginWatch&) = delete;
  ~PluginWatch();

  // Until `stop` is set. Call on a thread of its own.
  void Run(const std::atomic<bool>& stop);

 private:
  void Rescan();
  void FollowFolder();
  bool AwaitNews();
  bool TakeEvents();

  PluginDirectory& directory_;
  PluginReporter& reporter_;
  int inotify_ = -1;  // -1: there is none to be had.
  int watch_ = -1;
  dev_t device_ = 0;  // Of the folder that is watched: a link to it may turn to another.
  ino_t inode_ = 0;
};

}  // namespace iq
