// Which type of command, and which listener's events, go to which generation of which plugin.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "host/plugin.h"

namespace iq {

struct Route {
  std::shared_ptr<const Plugin> plugin;
  const iq_command_type* type = nullptr;
  std::string pattern{};  // Of a listener: the events that it is for.
};

// One moment of it; never changes once it is published.
struct Routes {
  std::map<std::string, Route, std::less<>> types;
  std::map<std::string, Route, std::less<>> listeners;  // By label.
  // Types that were served earlier in this process, and are by nobody now.
  std::set<std::string, std::less<>> gone;

  bool empty() const { return types.empty() && listeners.empty(); }
};

}  // namespace iq
