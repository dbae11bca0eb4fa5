// Which type of command goes to which generation of which plugin.
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
};

// One moment of it; never changes once it is published.
struct Routes {
  std::map<std::string, Route, std::less<>> types;
  // Served earlier in this process, and by nobody now.
  std::set<std::string, std::less<>> gone;
};

}  // namespace iq
