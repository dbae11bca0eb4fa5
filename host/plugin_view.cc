#include "host/plugin_view.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "host/explain.h"
#include "host/plugin_child.h"
#include "host/plugin_directory.h"
#include "host/schema_examples.h"
#include "host/served.h"

namespace iq {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kPatience{15};
constexpr std::size_t kResultBytesMax = 4 * 1024 * 1024;

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json Ask(const Config& config, const Json& question) {
  PluginChild child({.program = config.plugins.prober,
                     .arguments = {kPluginViewVerb, config.file},
                     .input = Dump(question),
                     .patience = kPatience,
                     .result_bytes_max = kResultBytesMax});
  const PluginChild::End end = child.Wait();
  if (end.fault) throw std::runtime_error(fmt::format("looking at the plugins: {}", *end.fault));
  return Json::parse(end.result);
}

// As JSON, where it is.
Json SchemaJson(const std::string& schema) {
  if (schema.empty()) return nullptr;
  Json parsed = Json::parse(schema, nullptr, false);
  return parsed.is_discarded() ? Json() : parsed;
}

Json TextOrNull(const std::string& text) { return text.empty() ? Json() : Json(text); }

// What each example of the schema would lock.
Json PlannedExamples(const Served::Command& command, const PluginDirectory& directory,
                     const Config& config) {
  Json planned = Json::array();
  const auto schema = nlohmann::json::parse(command.schema, nullptr, false);
  for (const nlohmann::json& example : SchemaExamples(command.type, schema)) {
    plugin_child::Step(fmt::format("planning an example of {}", command.type));
    const Explanation explanation = ExplainCommand(example.dump(), "", directory, config);
    planned.push_back({{"body", example},
                       {"locks", explanation.keys},
                       {"reason", TextOrNull(explanation.reason)}});
  }
  return planned;
}

Json ServedJson(const PluginDirectory& directory, const Config& config) {
  plugin_child::Step("asking for their events");
  const Served served = WhatServes(directory);
  Json types = Json::array();
  for (const Served::Command& command : served.commands) {
    types.push_back({{"type", command.type},
                     {"plugin", command.plugin},
                     {"schema", SchemaJson(command.schema)},
                     {"examples", PlannedExamples(command, directory, config)}});
  }
  Json events = Json::array();
  for (const auto& [name, emitters] : served.events) {
    for (const Served::Emitter& emitter : emitters) {
      events.push_back(
          {{"name", name}, {"plugin", emitter.plugin}, {"schema", SchemaJson(emitter.schema)}});
    }
  }
  return {{"types", types}, {"events", events}, {"faults", served.faults}};
}

Json ExplanationJson(const Explanation& explanation) {
  return {{"verdict", explanation.admissible ? "ok" : "refused"},
          {"code", TextOrNull(explanation.code)},
          {"reason", TextOrNull(explanation.reason)},
          {"type", TextOrNull(explanation.type)},
          {"plugin", TextOrNull(explanation.plugin)},
          {"version", TextOrNull(explanation.version)},
          {"file", TextOrNull(explanation.file)},
          {"id", TextOrNull(explanation.id)},
          {"journal", TextOrNull(explanation.journal_uuid)},
          {"locks", explanation.keys}};
}

Json Answer(const Config& config, const Json& question) {
  plugin_child::Step("loading the plugins");
  const PluginDirectory directory(config.plugins);
  if (!question.contains("body")) return ServedJson(directory, config);
  plugin_child::Step("planning the command");
  return ExplanationJson(ExplainCommand(question.at("body"), question.at("id"), directory, config));
}

}  // namespace

Json ViewServed(const Config& config) { return Ask(config, Json::object()); }

Json ViewExplanation(const Config& config, const std::string& body, const std::string& id) {
  return Ask(config, {{"body", body}, {"id", id}});
}

void RunPluginView(const Config& config) {
  plugin_child::Run(kPatience, [&config](const std::string& input) {
    plugin_child::Result(Dump(Answer(config, Json::parse(input))));
  });
}

}  // namespace iq
