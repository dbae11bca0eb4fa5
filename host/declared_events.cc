#include "host/declared_events.h"

#include <fmt/format.h>
#include <iq/abi.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

#include "host/schema.h"

namespace iq {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kNameBytesMax = 255;

[[noreturn]] void Refuse(const Plugin& plugin, std::string_view fault) {
  throw std::runtime_error(
      fmt::format("{}: the events it declares {}; mend its kEvents, or what it gives for \"{}\"",
                  plugin.file(), fault, IQ_EXTENSION_EVENTS));
}

DeclaredEvent ReadEvent(const Plugin& plugin, const std::string& name, const Json& schema) {
  if (name.empty() || name.size() > kNameBytesMax) {
    Refuse(plugin, "have a name that is not 1 to 255 bytes long");
  }
  DeclaredEvent event{name, schema.dump()};
  try {
    const Schema compiled(event.schema);
  } catch (const std::invalid_argument& error) {
    Refuse(plugin, fmt::format("have a fault at \"{}\": {}", name, error.what()));
  }
  return event;
}

}  // namespace

std::optional<std::vector<DeclaredEvent>> DeclaredEvents(const Plugin& plugin) {
  const auto* text = static_cast<const iq_str*>(plugin.Extension(IQ_EXTENSION_EVENTS));
  if (text == nullptr) return std::nullopt;
  const std::string_view given(text->ptr, text->ptr == nullptr ? 0 : text->len);
  const Json objects = Json::parse(given, nullptr, /*allow_exceptions=*/false);
  if (!objects.is_array()) Refuse(plugin, "are no JSON array of objects");
  std::vector<DeclaredEvent> events;
  for (const Json& object : objects) {
    if (!object.is_object()) Refuse(plugin, "are no JSON array of objects");
    for (const auto& [name, schema] : object.items()) {
      events.push_back(ReadEvent(plugin, name, schema));
    }
  }
  return events;
}

}  // namespace iq
