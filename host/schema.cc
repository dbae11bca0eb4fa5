#include "host/schema.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace iq {

using nlohmann::json;

struct Schema::Compiled {
  valijson::Schema schema;
  valijson::Validator validator;
};

namespace {

bool IsData(const std::string& keyword) {
  return keyword == "const" || keyword == "enum" || keyword == "default" || keyword == "examples";
}

// Puts each pattern behind a test of the string's length.
void GuardPatterns(json& schema) {
  if (schema.is_array()) {
    for (json& element : schema) GuardPatterns(element);
  }
  if (!schema.is_object()) return;
  for (auto& [keyword, value] : schema.items()) {
    if (!IsData(keyword)) GuardPatterns(value);
  }
  const auto pattern = schema.find("pattern");
  if (pattern == schema.end() || !pattern->is_string()) return;
  const json short_enough = {{"maxLength", Schema::kPatternCharactersMax}};
  json guarded = {{"if", short_enough}, {"then", {{"pattern", *pattern}}}, {"else", short_enough}};
  schema.erase("pattern");
  schema["allOf"].push_back(std::move(guarded));
}

// valijson names the place as <root>[details][uuid].
std::string Place(const std::vector<std::string>& context) {
  std::string place;
  for (std::size_t i = 1; i < context.size(); ++i) {
    std::string_view name = context[i];
    if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
    if (!place.empty()) place += '.';
    place += name;
  }
  return place.empty() ? "the body" : place;
}

}  // namespace

Schema::Schema(std::string_view text) : compiled_(std::make_unique<Compiled>()) {
  json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) throw std::invalid_argument("the schema is not a JSON object");
  try {
    GuardPatterns(document);
    valijson::SchemaParser parser;
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(document), compiled_->schema);
  } catch (const std::exception& error) {
    throw std::invalid_argument(fmt::format("the schema does not compile: {}", error.what()));
  }
}

Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;
Schema::~Schema() = default;

std::optional<std::string> Schema::Fault(const json& document) const {
  const valijson::adapters::NlohmannJsonAdapter target(document);
  valijson::ValidationResults results;
  try {
    if (compiled_->validator.validate(compiled_->schema, target, nullptr)) return std::nullopt;
    // Only a refused document is worth the second, slower pass that collects the reasons. The
    // deepest one comes first.
    compiled_->validator.validate(compiled_->schema, target, &results);
  } catch (const std::regex_error&) {
    return "a value is too intricate for the schema's pattern";
  }
  valijson::ValidationResults::Error error;
  if (!results.popError(error)) return "the body does not match the schema";
  return fmt::format("{}: {}", Place(error.context), error.description);
}

}  // namespace iq
