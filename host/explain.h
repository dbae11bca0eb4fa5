// What would become of a command up to the point where it runs.
#pragma once

#include <string>

#include "host/config.h"
#include "host/locks/locks.h"
#include "host/plugin_directory.h"

namespace iq {

// Empty texts are not known, or are not there.
struct Explanation {
  bool admissible = false;
  std::string code;  // Why it would be refused.
  std::string reason;
  std::string type;
  std::string id;
  std::string journal_uuid;
  std::string plugin;
  std::string version;
  std::string file;
  LockKeys keys;
};

// Of a command with this body and, unless it is empty, message id, which needs no signature here.
// Needs no server and changes nothing, but makes the type's handler and asks it for its keys, on
// this thread. Any thread, at any time that `directory` lives.
Explanation ExplainCommand(std::string body, const std::string& id,
                           const PluginDirectory& directory, Config config);

}  // namespace iq
