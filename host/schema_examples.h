// The examples that a plugin gives in a command's schema.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

namespace iq {

// The members of the schema's `examples`, with `type` added to each object that lacks it. None
// where the schema has none.
inline std::vector<nlohmann::json> SchemaExamples(std::string_view type,
                                                  const nlohmann::json& schema) {
  std::vector<nlohmann::json> examples;
  if (!schema.is_object() || !schema.contains("examples")) return examples;
  for (nlohmann::json example : schema.at("examples")) {
    if (example.is_object() && !example.contains("type")) example["type"] = type;
    examples.push_back(std::move(example));
  }
  return examples;
}

}  // namespace iq
