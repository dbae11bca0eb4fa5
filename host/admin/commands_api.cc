#include "host/admin/commands_api.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <string>

#include "host/base/rfc3339.h"
#include "host/journal_search.h"
#include "host/trace/trace_context.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr auto kStatementMax = 5s;
constexpr std::int64_t kUsualLimit = 50;
constexpr std::int64_t kLimitMax = 200;

// A number alone is a user's.
std::string KeyOf(const std::string& text) {
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isdigit(c) != 0;
  });
  return digits ? "user:" + text : text;
}

JournalSearch SearchOf(const ApiRequest& request) {
  JournalSearch search{.id = request.Text("id"),
                       .key = KeyOf(request.Text("key")),
                       .type = request.Text("type"),
                       .outcome = request.Text("outcome"),
                       .since = request.Moment("since"),
                       .until = request.Moment("until"),
                       .before = std::nullopt,
                       .limit = request.Limit(kUsualLimit, kLimitMax)};
  const std::string before = request.Text("before");
  if (before.empty()) return search;
  search.before = ReadCursor(before);
  if (!search.before) {
    throw ApiError(ApiError::kWrong, "before: use the \"next\" of the answer before");
  }
  return search;
}

// An empty array where `text` is none.
Json JsonIn(const std::string& text) {
  Json array = Json::parse(text, nullptr, false);
  return array.is_array() ? array : Json::array();
}

// The bodies of a command's events; without their data where bodies are hidden.
Json Events(const std::string& text, bool show_bodies) {
  Json events = JsonIn(text);
  if (show_bodies) return events;
  for (Json& event : events) {
    if (event.is_object()) event.erase("data");
  }
  return events;
}

std::string TraceIdOf(const std::string& traceparent) {
  const auto context = ParseTraceparent(traceparent);
  return context ? context->trace_id : std::string();
}

Json CommandJson(const JournalRecord& record, bool show_bodies) {
  return {{"id", record.command_id},
          {"uuid", record.uuid},
          {"type", record.type},
          {"outcome", record.outcome},
          {"code", TextOrNull(record.code)},
          {"reason", TextOrNull(record.reason)},
          {"plugin", record.plugin},
          {"attempts", record.attempts},
          {"committedAt", record.committed_at},
          {"repeats", record.repeats},
          {"repeatedAt", TextOrNull(record.repeated_at)},
          {"keys", JsonIn(record.keys)},
          {"correlationId", TextOrNull(record.correlation_id)},
          {"traceId", TextOrNull(TraceIdOf(record.traceparent))},
          {"events", Events(record.events, show_bodies)}};
}

}  // namespace

Json CommandsApi::Search(const ApiRequest& request) const {
  const JournalSearch search = SearchOf(request);
  const auto session = store_.Open(kStatementMax);
  const JournalFound found = JournalReader(session->journal()).Search(search);
  Json commands = Json::array();
  for (const JournalRecord& record : found.records) {
    commands.push_back(CommandJson(record, config_.admin.show_bodies));
  }
  return {{"commands", std::move(commands)},
          {"next", found.next ? Json(CursorOf(*found.next)) : Json()},
          {"searchedTo", found.searched_to ? Json(Rfc3339(*found.searched_to)) : Json()}};
}

Json CommandsApi::Life(const ApiRequest& request) const {
  const std::string id = request.Text("id");
  if (id.empty()) throw ApiError(ApiError::kWrong, "id: which command?");
  const auto session = store_.Open(kStatementMax);
  const auto record = JournalReader(session->journal()).Read(id);
  const std::string name = record ? record->command_id : id;
  Json life{{"command", record ? CommandJson(*record, config_.admin.show_bodies) : Json()},
            {"letters", dead_.LettersOf(name)},
            {"acts", acts_.About(name)}};
  if (!record && life["letters"].empty() && life["acts"].empty()) {
    throw ApiError(ApiError::kNothingThere,
                   "neither the journal nor the dead-letter queue has a command of this id");
  }
  return life;
}

}  // namespace iq
