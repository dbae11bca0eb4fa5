#include "host/plugin_view.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "host/base/json_text.h"
#include "host/base/uuid.h"
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
constexpr const char* kServed = "served";
constexpr const char* kExamples = "examples";
constexpr const char* kExplanation = "explanation";

Json Ask(const Config& config, const Json& question) {
  PluginChild child({.program = config.plugins.prober,
                     .arguments = {kPluginViewVerb, config.file},
                     .input = JsonText(question),
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

// Why it would be refused; empty where it would not.
std::string ReasonOf(const Explanation& explanation) {
  if (explanation.admissible) return {};
  return explanation.reason.empty() ? explanation.code : explanation.reason;
}

// What the first examples of a schema would lock.
Json PlannedExamples(const Served::Command& command, const PluginDirectory& directory,
                     const Config& config) {
  constexpr std::size_t kExamplesMax = 10;
  Json planned = Json::array();
  const auto schema = nlohmann::json::parse(command.schema, nullptr, false);
  for (const nlohmann::json& example : SchemaExamples(command.type, schema)) {
    if (planned.size() == kExamplesMax) break;
    plugin_child::Step(fmt::format("planning an example of {}", command.type));
    const Explanation explanation = ExplainCommand(example.dump(), RandomUuid(), directory, config);
    planned.push_back({{"body", example},
                       {"locks", explanation.keys},
                       {"reason", TextOrNull(ReasonOf(explanation))}});
  }
  return planned;
}

Json ExamplesJson(const PluginDirectory& directory, const Config& config) {
  Json examples = Json::object();
  for (const Served::Command& command : WhatServes(directory).commands) {
    examples[command.type] = PlannedExamples(command, directory, config);
  }
  return examples;
}

Json ServedJson(const Served& served) {
  Json types = Json::array();
  for (const Served::Command& command : served.commands) {
    types.push_back({{"type", command.type},
                     {"plugin", command.plugin},
                     {"schema", SchemaJson(command.schema)}});
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
  const std::string wanted = question.at("wanted");
  plugin_child::Step("loading the plugins");
  const PluginDirectory directory(config.plugins);
  if (wanted == kServed) {
    plugin_child::Step("asking for their events");
    return ServedJson(WhatServes(directory));
  }
  if (wanted == kExamples) return ExamplesJson(directory, config);
  plugin_child::Step("planning the command");
  return ExplanationJson(ExplainCommand(question.at("body"), question.at("id"), directory, config));
}

}  // namespace

Json ViewServed(const Config& config) { return Ask(config, {{"wanted", kServed}}); }

Json ViewExamples(const Config& config) { return Ask(config, {{"wanted", kExamples}}); }

Json ViewExplanation(const Config& config, const std::string& body, const std::string& id) {
  return Ask(config, {{"wanted", kExplanation}, {"body", body}, {"id", id}});
}

void RunPluginView(const Config& config) {
  plugin_child::Run(kPatience, [&config](const std::string& input) {
    plugin_child::Result(JsonText(Answer(config, Json::parse(input))));
  });
}

}  // namespace iq
