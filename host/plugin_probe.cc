#include "host/plugin_probe.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "host/base/json_text.h"

namespace iq {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kPatience{5};

// `type` is of commands called `name`, or the face of the listener of that name.
void TryHandler(const Plugin& plugin, const iq_command_type& type, std::string_view name) {
  if (type.create == nullptr) return;
  plugin_child::Step(fmt::format("making a handler for \"{}\"", name));
  void* handler = nullptr;
  const iq_rc rc = type.create(plugin.host(), &handler);
  if (rc != IQ_OK) {
    throw PluginRefused(fmt::format("it cannot make a handler for \"{}\" ({})", name, rc));
  }
  plugin_child::Step(fmt::format("destroying a handler for \"{}\"", name));
  if (type.destroy != nullptr) type.destroy(handler);
}

void TryHandlers(const Plugin& plugin) {
  for (const iq_command_type& type : plugin.commands()) {
    TryHandler(plugin, type, {type.type.ptr, type.type.len});
  }
  for (const Listener& listener : plugin.listeners()) {
    TryHandler(plugin, listener.face, listener.label);
  }
}

void TryPlugin(const std::string& path, const std::map<std::string, Plugin::Settings>& settings) {
  plugin_child::Step("loading it");
  const auto plugin = Plugin::Map({"it", path, {}, 1}, settings);
  plugin_child::Step("its init");
  plugin->Init();
  TryHandlers(*plugin);
  plugin_child::Step("its shutdown");
}

}  // namespace

PluginChild StartPluginProbe(const std::string& program, const std::string& path,
                             const std::map<std::string, Plugin::Settings>& settings) {
  return PluginChild({.program = program,
                      .arguments = {kPluginProbeVerb, path},
                      .input = JsonText(json(settings)),
                      .patience = kPatience});
}

void RunPluginProbe(const std::string& path) {
  plugin_child::Run(kPatience, [&path](const std::string& input) {
    TryPlugin(path, json::parse(input).get<std::map<std::string, Plugin::Settings>>());
  });
}

}  // namespace iq
