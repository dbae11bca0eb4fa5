#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "host/check/cases.h"
#include "host/check/stand_in_host.h"
#include "host/declared_events.h"
#include "host/plugin_child.h"
#include "host/plugin_manifest.h"

namespace iq::check {
namespace {

constexpr int kHandlersAtATime = 8;

std::string_view TypeOf(const iq_command_type& type) { return {type.type.ptr, type.type.len}; }

std::vector<std::string> TypesOf(const Plugin& plugin) {
  std::vector<std::string> types;
  for (const iq_command_type& type : plugin.commands()) types.emplace_back(TypeOf(type));
  return types;
}

void RequireSame(const std::string& what, const std::string& noted, const std::string& real) {
  if (noted == real) return;
  throw std::runtime_error(
      fmt::format("its manifest says {} {}, its table {}: write both from one source, as IQ_PLUGIN "
                  "does",
                  what, noted, real));
}

std::optional<PluginManifest> ManifestIn(const Subject& subject) {
  std::ifstream file(subject.file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return FindManifest(ReadElf(bytes));
}

// As many of them at once as a host with workers has, destroyed in another order than made.
void MakeHandlers(const Route& route) {
  std::vector<std::unique_ptr<Seat>> seats;
  for (int i = 0; i < kHandlersAtATime; ++i) {
    seats.push_back(std::make_unique<Seat>(route));
    seats.back()->Create();
  }
  std::swap(seats.front(), seats.back());
  seats.clear();
}

}  // namespace

Finding CheckManifest(const Subject& subject) {
  const auto manifest = ManifestIn(subject);
  plugin_child::Step("loading it");
  const LoadedPlugin loaded(subject);
  const Plugin& plugin = loaded.plugin();
  if (!manifest) {
    return Finding::Nothing(
        fmt::format("{}: it has none; IQ_PLUGIN and IQ_PLUGIN_NOTE write one", plugin.label()));
  }
  RequireSame("the name", manifest->name, plugin.name());
  RequireSame("the version", manifest->version, plugin.version());
  RequireSame("the types", fmt::format("{}", fmt::join(manifest->types, ", ")),
              fmt::format("{}", fmt::join(TypesOf(plugin), ", ")));
  const auto events = DeclaredEvents(plugin);
  return {.detail = fmt::format("{}, ABI {}.{}, types: {}, listeners: {}, events: {}",
                                plugin.label(), manifest->abi_major, manifest->abi_minor_least,
                                fmt::join(manifest->types, ", "), plugin.listeners().size(),
                                events ? std::to_string(events->size()) : "it does not say")};
}

Finding CheckHandlers(const Subject& subject) {
  plugin_child::Step("loading it");
  std::size_t kinds = 0;
  {
    const LoadedPlugin loaded(subject);
    const auto routes = loaded.directory().routes();
    for (const auto* group : {&routes->types, &routes->listeners}) {
      for (const auto& [name, route] : *group) {
        plugin_child::Step(fmt::format("making and destroying handlers for \"{}\"", name));
        MakeHandlers(route);
        ++kinds;
      }
    }
    plugin_child::Step("its shutdown");
  }
  return {.detail = fmt::format("{} at a time, for each of {}", kHandlersAtATime, kinds)};
}

}  // namespace iq::check
