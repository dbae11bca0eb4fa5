#include "host/admin/acts.h"

#include <fmt/format.h>

#include <charconv>
#include <exception>
#include <optional>
#include <utility>

#include "host/base/json_text.h"
#include "host/base/log.h"
#include "host/base/utf8.h"
#include "host/store/audit_table.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr auto kStatementMax = 5s;
constexpr std::int64_t kUsualLimit = 50;
constexpr std::int64_t kLimitMax = 500;

Json ToJson(const AuditRow& row) {
  return {{"id", row.id},
          {"at", row.at},
          {"who", row.who},
          {"action", row.action},
          {"about", TextOrNull(row.about)},
          {"detail", Json::parse(row.detail, nullptr, false)},
          {"state", row.state},
          {"result", TextOrNull(row.result)},
          {"endedAt", TextOrNull(row.ended_at)}};
}

Json ToJson(const std::vector<AuditRow>& rows) {
  Json acts = Json::array();
  for (const AuditRow& row : rows) acts.push_back(ToJson(row));
  return acts;
}

// No database takes what is not UTF-8, nor NUL.
Json Storable(Json value) {
  if (value.is_string()) return ValidUtf8(value.get<std::string>());
  if (value.is_structured()) {
    for (Json& each : value) each = Storable(std::move(each));
  }
  return value;
}

std::optional<std::int64_t> Cursor(const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::int64_t id = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (fault != std::errc() || end != text.data() + text.size()) {
    throw ApiError(ApiError::kWrong, "before: use the \"next\" of the answer before");
  }
  return id;
}

}  // namespace

std::int64_t Acts::Begin(const Act& act) const {
  log::Info(
      fmt::format("{} by {}{}{}", act.action, act.who, act.about.empty() ? "" : ": ", act.about));
  return store_.Open(kStatementMax)
      ->audit()
      .Begin({.who = act.who,
              .action = act.action,
              .about = ValidUtf8(act.about),
              .detail = JsonText(Storable(act.detail))});
}

void Acts::End(std::int64_t id, const std::string& state, const std::string& result) const {
  try {
    store_.Open(kStatementMax)->audit().End(id, state, ValidUtf8(result));
  } catch (const std::exception& error) {
    log::Warn(fmt::format("act {} is {} ({}), which cannot be noted: {}", id, state, result,
                          error.what()));
  }
}

Json Acts::List(const ApiRequest& request) const {
  const std::int64_t limit = request.Limit(kUsualLimit, kLimitMax);
  const auto rows = store_.Open(kStatementMax)->audit().List(Cursor(request.Text("before")), limit);
  const bool more = static_cast<std::int64_t>(rows.size()) == limit;
  return {{"acts", ToJson(rows)}, {"next", more ? Json(std::to_string(rows.back().id)) : Json()}};
}

Json Acts::About(const std::string& id) const {
  return ToJson(store_.Open(kStatementMax)->audit().About(ValidUtf8(id), kUsualLimit));
}

}  // namespace iq
