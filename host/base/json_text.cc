#include "host/base/json_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace iq {
namespace {

bool IsPlain(unsigned char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

}  // namespace

// Nearly every id and name is plain, and nlohmann's serializer fills half a kilobyte for each.
std::string JsonString(std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), IsPlain)) {
    return JsonText(nlohmann::json(text));
  }
  std::string quoted;
  quoted.reserve(text.size() + 2);
  quoted += '"';
  quoted += text;
  quoted += '"';
  return quoted;
}

std::string JsonText(const nlohmann::json& value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string JsonText(const nlohmann::ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace iq
