#include "host/explain.h"

#include <memory>
#include <utility>
#include <variant>

#include "host/bus.h"
#include "host/command.h"

namespace iq {
namespace {

void ExplainDecoded(Command& command, const PluginDirectory& directory, const LimitsConfig& limits,
                    Explanation& explanation) {
  explanation.type = command.type;
  if (command.has_id) {
    explanation.id = command.id;
    explanation.journal_uuid = command.uuid;
  }
  const auto routes = directory.routes();
  const auto route = routes->types.find(command.type);
  if (route != routes->types.end()) {
    const Plugin& plugin = *route->second.plugin;
    explanation.plugin = plugin.name();
    explanation.version = plugin.version();
    explanation.file = plugin.file();
  }
  Bus bus(directory, limits);
  if (const auto refused = bus.Admit(command)) {
    explanation.code = refused->code;
    explanation.reason = refused->reason;
    return;
  }
  explanation.admissible = true;
  explanation.keys = command.keys;
}

}  // namespace

Explanation ExplainCommand(std::string body, const std::string& id,
                           const PluginDirectory& directory, Config config) {
  config.security = {};
  Delivery delivery;
  delivery.message.body = std::move(body);
  delivery.message.message_id = id;
  Decoded decoded = Decode(std::move(delivery), config);
  Explanation explanation;
  if (const auto* refusal = std::get_if<Refusal>(&decoded)) {
    explanation.code = refusal->code;
    explanation.reason = refusal->reason;
    explanation.type = refusal->type;
    explanation.id = refusal->id;
  } else {
    ExplainDecoded(*std::get<std::unique_ptr<Command>>(decoded), directory, config.limits,
                   explanation);
  }
  return explanation;
}

}  // namespace iq
