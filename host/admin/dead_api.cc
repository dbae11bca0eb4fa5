#include "host/admin/dead_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "host/base/utf8.h"
#include "host/dead/dead_edit.h"
#include "host/dead/dead_groups.h"
#include "host/dead/dead_walk.h"
#include "host/dead/letter_json.h"

namespace iq {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kShownBytesMax = 256 * 1024;
constexpr std::int64_t kUsualLimit = 100;
constexpr std::int64_t kLimitMax = 1000;
constexpr std::size_t kAlikeMax = 20;  // Letters of one name that are shown.

DeadFilter FilterOf(const ApiRequest& request) {
  return {.codes = request.Texts("code"),
          .types = request.Texts("type"),
          .plugins = request.Texts("plugin"),
          .since = request.Moment("since"),
          .until = request.Moment("until")};
}

// Throws ApiError where `object` has a member that nobody would look at: a filter that is misspelt
// must not choose everything.
void RequireOnly(const nlohmann::json& object, const std::set<std::string>& known) {
  for (const auto& [name, value] : object.items()) {
    if (!known.contains(name)) throw ApiError(ApiError::kWrong, name + ": is not known here");
  }
}

DeadFilter FilterIn(const nlohmann::json& filter) {
  if (!filter.is_object()) throw ApiError(ApiError::kWrong, "filter: write an object");
  RequireOnly(filter, {"codes", "types", "plugins", "since", "until"});
  const auto moment = [&filter](const char* name) {
    const auto found = filter.find(name);
    if (found == filter.end() || found->is_null()) return ParseMoment(name, "");
    if (!found->is_string())
      throw ApiError(ApiError::kWrong, fmt::format("{}: write a time", name));
    return ParseMoment(name, found->get<std::string>());
  };
  return {.codes = TextsIn(filter, "codes"),
          .types = TextsIn(filter, "types"),
          .plugins = TextsIn(filter, "plugins"),
          .since = moment("since"),
          .until = moment("until")};
}

DeadSelection SelectionOf(const ApiRequest& request) {
  RequireOnly(request.body, {"names", "all", "filter", "first", "dryRun"});
  DeadSelection selection{.ids = TextsIn(request.body, "names"), .all = request.BodyTruth("all")};
  const auto filter = request.body.find("filter");
  if (filter != request.body.end()) selection.filter = FilterIn(*filter);
  const auto first = request.body.find("first");
  if (first != request.body.end()) {
    if (!first->is_number_unsigned()) throw ApiError(ApiError::kWrong, "first: write a number");
    selection.first = first->get<std::uint64_t>();
  }
  if (selection.ids.empty() && !selection.all && selection.filter.empty()) {
    throw ApiError(ApiError::kWrong, "which? Give names, a filter, or \"all\": true");
  }
  return selection;
}

// Of headers, only iq's own where bodies are hidden: others may hold what bodies do.
Json HeadersJson(const Message& message, bool show_bodies) {
  Json headers = Json::object();
  for (const auto& [name, value] : message.headers) {
    if (show_bodies || name.starts_with("x-iq-")) headers[name] = HeaderJson(value);
  }
  return headers;
}

Json WholeLetter(const DeadLetter& letter, bool show_bodies) {
  const Message& message = letter.delivery.message;
  Json whole = LetterJson(letter);
  whole["properties"] = PropertiesJson(message);
  whole["headers"] = HeadersJson(message, show_bodies);
  if (!show_bodies) {
    whole["body"] = nullptr;
    return whole;
  }
  whole["body"] = ValidUtf8(message.body.substr(0, kShownBytesMax));
  whole["truncated"] = message.body.size() > kShownBytesMax;
  whole["binary"] = !IsValidUtf8(message.body);
  return whole;
}

}  // namespace

std::size_t BodyBytesMax(const Config& config) {
  return 2 * std::max(kShownBytesMax, config.limits.message);  // Escapes make it longer.
}

Json LetterJson(const DeadLetter& letter) {
  return {{"name", letter.name},
          {"hash", letter.hash_name},
          {"id", letter.delivery.message.message_id},
          {"type", letter.type},
          {"code", letter.code},
          {"outcome", letter.outcome},
          {"plugin", letter.plugin},
          {"at", letter.at},
          {"reason", letter.reason},
          {"queue", letter.queue},
          {"attempts", letter.attempts},
          {"bytes", letter.delivery.message.body.size()}};
}

Walking::Turn DeadApi::TakeTurn() const {
  constexpr std::chrono::seconds kPatience{2};
  Walking::Turn turn(walking_, stopping_, kPatience);
  if (!turn.owns()) {
    throw ApiError(
        ApiError::kUnavailable,
        "somebody else goes through the dead letters now, and holds them; try again when "
        "that has ended");
  }
  return turn;
}

Json DeadApi::List(const ApiRequest& request) const {
  const DeadFilter filter = FilterOf(request);
  const auto limit = static_cast<std::size_t>(request.Limit(kUsualLimit, kLimitMax));
  Walking::Turn turn = TakeTurn();
  DeadWalk walk(broker_, config_);
  turn.Expect(walk.size());
  DeadGroups groups;
  Json letters = Json::array();
  while (!stopping_) {
    const auto letter = walk.Next();
    if (!letter) break;
    if (!filter.Takes(*letter)) continue;
    groups.Add(*letter);
    if (letters.size() < limit) letters.push_back(LetterJson(*letter));
  }
  Json list = Json::array();
  for (const DeadGroup& group : groups.Sorted()) list.push_back(GroupJson(group));
  return {{"letters", std::move(letters)},
          {"groups", std::move(list)},
          {"passing", groups.letters()},
          {"size", walk.size()}};
}

Json DeadApi::Named(const std::string& name,
                    const std::function<Json(const DeadLetter&)>& show) const {
  DeadChoice choice({.ids = {name}});
  Walking::Turn turn = TakeTurn();
  DeadWalk walk(broker_, config_);
  turn.Expect(walk.size());
  Json letters = Json::array();
  while (!stopping_ && letters.size() < kAlikeMax) {
    const auto letter = walk.Next();
    if (!letter) break;
    if (choice.Takes(*letter)) letters.push_back(show(*letter));
  }
  return letters;
}

Json DeadApi::Letter(const ApiRequest& request) const {
  Json letters = Named(request.Text("name"), [this](const DeadLetter& letter) {
    return WholeLetter(letter, config_.admin.show_bodies);
  });
  if (letters.empty()) {
    throw ApiError(ApiError::kNothingThere,
                   fmt::format("{} holds no letter of this name", config_.dead_letter.queue));
  }
  return {{"letters", std::move(letters)}};
}

Json DeadApi::LettersOf(const std::string& id) const { return Named(id, LetterJson); }

Json DeadApi::Begin(DeadAct::Kind kind, const ApiRequest& request) {
  const bool dry_run = request.BodyTruth("dryRun");
  if (!dry_run) request.RequireMayWrite();
  DeadSelection selection = SelectionOf(request);
  Json detail = request.body;
  detail.erase("dryRun");
  return jobs_.Begin({.kind = kind,
                      .selection = std::move(selection),
                      .dry_run = dry_run,
                      .who = request.who,
                      .detail = std::move(detail)});
}

Json DeadApi::Edit(const ApiRequest& request) const {
  if (!config_.admin.show_bodies) {
    throw ApiError(ApiError::kForbidden, "admin.show_bodies is false: bodies are not edited here");
  }
  const std::string name = request.BodyText("name");
  Walking::Turn turn = TakeTurn();
  const auto queue = broker_.Inspect(config_.dead_letter.queue);
  if (queue && queue->ready > 0) turn.Expect(queue->ready - 1);
  try {
    const auto letter = FindDeadLetter(config_, broker_, name, request.BodyText("hash"));
    if (!letter) throw NotEdited("it has left the queue");
    const std::int64_t act =
        acts_.Begin({request.who, "edit", name, {{"hash", letter->hash_name}}});
    try {
      const RetriedLetter retried =
          RetryEdited(config_, broker_, *letter, request.BodyText("body"));
      acts_.End(act, "done", "to " + retried.queue);
      return {{"queue", retried.queue}, {"journalRowRemoved", retried.journal_row_removed}};
    } catch (const std::exception& error) {
      acts_.End(act, "failed", error.what());
      throw;
    }
  } catch (const NotEdited& why) {
    throw ApiError(ApiError::kDoesNotFit, fmt::format("{}; nothing was changed", why.what()));
  }
}

}  // namespace iq
