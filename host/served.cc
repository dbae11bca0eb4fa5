#include "host/served.h"

#include <stdexcept>

#include "host/declared_events.h"

namespace iq {
namespace {

constexpr const char* kEndOfCommand = R"({
  "type": "object",
  "required": ["type", "code", "reason"],
  "properties": {
    "type": {"type": "string", "description": "of the command"},
    "code": {"type": "string", "description": "why, for programs"},
    "reason": {"type": "string", "description": "why, for people"}
  }
})";

void AddEvents(const Plugin& plugin, Served& served) {
  try {
    const auto events = DeclaredEvents(plugin);
    if (!events) {
      served.silent.push_back(plugin.label());
      return;
    }
    for (const DeclaredEvent& event : *events) {
      served.events[event.name].push_back({plugin.label(), event.schema});
    }
  } catch (const std::runtime_error& fault) {
    served.faults.emplace_back(fault.what());
  }
}

}  // namespace

Served WhatServes(const PluginDirectory& directory) {
  Served served;
  for (const char* name : {"command.rejected", "command.failed"}) {
    served.events[name].push_back({"iq", kEndOfCommand});
  }
  const auto routes = directory.routes();
  for (const auto& [type, route] : routes->types) {
    const iq_str schema = route.type->schema;
    served.commands.push_back(
        {type, route.plugin->label(), schema.len == 0 ? "" : std::string(schema.ptr, schema.len)});
  }
  for (const auto& [label, route] : routes->listeners) {
    served.listeners.push_back({label, route.plugin->label(), route.pattern});
  }
  for (const auto& plugin : directory.plugins()) AddEvents(*plugin, served);
  return served;
}

}  // namespace iq
