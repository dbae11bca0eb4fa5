#include "host/admin/api.h"

#include <fmt/format.h>

#include <charconv>

#include "host/base/rfc3339.h"

namespace iq {

std::string ApiRequest::Text(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

std::vector<std::string> ApiRequest::Texts(const std::string& name) const {
  std::vector<std::string> texts;
  const auto [begin, end] = query.equal_range(name);
  for (auto each = begin; each != end; ++each) {
    if (!each->second.empty()) texts.push_back(each->second);
  }
  return texts;
}

std::optional<ApiRequest::Time> ApiRequest::Moment(const std::string& name) const {
  return ParseMoment(name, Text(name));
}

std::int64_t ApiRequest::Limit(std::int64_t usual, std::int64_t most) const {
  const std::string text = Text("limit");
  if (text.empty()) return usual;
  std::int64_t limit = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (fault != std::errc() || end != text.data() + text.size() || limit < 1 || limit > most) {
    throw ApiError(ApiError::kWrong, fmt::format("limit: write a number from 1 to {}", most));
  }
  return limit;
}

std::string ApiRequest::BodyText(const std::string& name) const {
  const auto found = body.find(name);
  if (found == body.end() || found->is_null()) return {};
  if (!found->is_string()) throw ApiError(ApiError::kWrong, name + ": write a text");
  return found->get<std::string>();
}

bool ApiRequest::BodyTruth(const std::string& name) const {
  const auto found = body.find(name);
  if (found == body.end() || found->is_null()) return false;
  if (!found->is_boolean()) throw ApiError(ApiError::kWrong, name + ": write true or false");
  return found->get<bool>();
}

void ApiRequest::RequireMayWrite() const {
  if (may_write) return;
  if (who.empty()) {
    throw ApiError(ApiError::kUnknownVisitor,
                   "to act, sign in with a token; `iq token NAME --may write` makes one for "
                   "admin.tokens");
  }
  throw ApiError(ApiError::kForbidden, fmt::format("the token \"{}\" may only read", who));
}

std::vector<std::string> TextsIn(const nlohmann::json& object, const std::string& name) {
  std::vector<std::string> texts;
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return texts;
  if (!found->is_array()) throw ApiError(ApiError::kWrong, name + ": write an array of texts");
  for (const nlohmann::json& each : *found) {
    if (!each.is_string()) throw ApiError(ApiError::kWrong, name + ": write an array of texts");
    texts.push_back(each.get<std::string>());
  }
  return texts;
}

std::optional<ApiRequest::Time> ParseMoment(const std::string& name, const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto time = ParseRfc3339(text);
  if (!time) {
    throw ApiError(ApiError::kWrong, fmt::format("{}: write a time as 2026-01-31T12:00:00Z", name));
  }
  return time;
}

nlohmann::ordered_json TextOrNull(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
}

}  // namespace iq
