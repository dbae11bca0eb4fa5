// What a folder's plugins serve, as those who send commands and take events need to know it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/plugin_directory.h"

namespace iq {

struct Served {
  struct Command {
    std::string type;
    std::string plugin;  // "name/version"
    std::string schema;  // JSON Schema (draft 7) of the body. Empty: any object.
  };
  struct Listener {
    std::string label;  // "PLUGIN.NAME"
    std::string plugin;
    std::string pattern;
  };
  // Who emits an event, and with which data.
  struct Emitter {
    std::string plugin;
    std::string schema;  // JSON Schema (draft 7) of the data.
  };

  std::vector<Command> commands;
  std::vector<Listener> listeners;
  std::map<std::string, std::vector<Emitter>> events;  // By name; the host's own among them.
  std::vector<std::string> silent;  // Plugins that do not say which events they emit.
  std::vector<std::string> faults;  // A sentence for each plugin whose events cannot be told.
};

Served WhatServes(const PluginDirectory& directory);

}  // namespace iq
