#include "host/journal_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "host/base/rfc3339.h"
#include "host/base/utf8.h"
#include "host/base/uuid.h"
#include "host/store/store.h"

namespace iq {
namespace {

using Clock = std::chrono::steady_clock;
using Time = JournalSearch::Time;

// What a JournalWindow can name. There are no rows outside.
constexpr Time kFirstTime{};
constexpr Time kLastTime = std::chrono::sys_days{std::chrono::year{2200} / 1 / 1};

// At thousands of commands a second the first stretch is some hundred thousand rows.
constexpr std::chrono::minutes kFirstStretch{1};
// Beyond, all the rest is one stretch.
constexpr std::chrono::hours kLastStretch{2 * 365 * 24};

// Less than any other.
constexpr const char* kNilUuid = "00000000-0000-0000-0000-000000000000";

Time WithinRange(Time time) { return std::clamp(time, kFirstTime, kLastTime); }

// After which come the rows of times before `time`.
JournalPlace JustBefore(Time time) { return {time, kNilUuid}; }

// What comes from outside is made fit for a database, as it was when the rows were written.
JournalFilter FilterOf(const JournalSearch& search) {
  JournalFilter filter;
  if (!search.id.empty()) filter.uuid = UuidOfMessageId(search.id);
  filter.key = ValidUtf8(search.key);
  filter.type = ValidUtf8(search.type);
  filter.outcome = ValidUtf8(search.outcome);
  return filter;
}

JournalPlace StartOf(const JournalSearch& search) {
  const Time until = WithinRange(search.until.value_or(kLastTime));
  if (!search.before || search.before->at >= until) return JustBefore(until);
  return {WithinRange(search.before->at), search.before->uuid};
}

// Where the stretch of `length` before `place` begins. Of what lies in the future by this machine's
// clock, and is there only where the database's is ahead of it, all belongs to the first stretch.
Time BeginOfStretch(const JournalPlace& place, std::chrono::minutes length) {
  if (length > kLastStretch) return kFirstTime;
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  return std::min<Time>(place.at, now) - length;
}

JournalPlace PlaceOf(const JournalRecord& record) {
  return {ParseRfc3339(record.committed_at).value(), record.uuid};
}

}  // namespace

JournalFound JournalReader::Search(const JournalSearch& search) {
  const auto over_at = Clock::now() + patience_;
  const JournalFilter filter = FilterOf(search);
  const Time oldest = WithinRange(search.since.value_or(kFirstTime));
  const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(search.limit, 1));
  JournalFound found;
  JournalWindow window{oldest, StartOf(search)};
  for (auto length = kFirstStretch;; length *= 2) {
    // An id needs no stretches: it has one row.
    if (filter.uuid.empty()) window.from = std::max(oldest, BeginOfStretch(window.before, length));
    try {
      std::ranges::move(
          table_.Search(filter, window, static_cast<std::int64_t>(limit - found.records.size())),
          std::back_inserter(found.records));
    } catch (const StoreError& error) {
      // What was looked at so far stands, and the next search begins with a short stretch again.
      if (error.kind() != StoreError::Kind::kDeadline || length == kFirstStretch) throw;
      found.next = window.before;
      found.searched_to = window.before.at;
      return found;
    }
    if (found.records.size() >= limit) {
      found.next = PlaceOf(found.records.back());
      return found;
    }
    if (window.from <= oldest) return found;
    window.before = JustBefore(window.from);
    if (Clock::now() < over_at) continue;
    found.next = window.before;
    found.searched_to = window.from;
    return found;
  }
}

std::optional<JournalRecord> JournalReader::Read(const std::string& id) {
  JournalSearch search;
  search.id = id;
  search.limit = 1;
  JournalFound found = Search(search);
  if (found.records.empty()) return std::nullopt;
  return std::move(found.records.front());
}

std::string CursorOf(const JournalPlace& place) {
  return fmt::format("{}_{}", Rfc3339(place.at), place.uuid);
}

std::optional<JournalPlace> ReadCursor(std::string_view text) {
  const auto end_of_time = text.find('_');
  if (end_of_time == std::string_view::npos) return std::nullopt;
  const auto at = ParseRfc3339(text.substr(0, end_of_time));
  std::string uuid(text.substr(end_of_time + 1));
  const bool is_uuid = UuidOfMessageId(uuid) == uuid;  // What is none would become one.
  if (!at || !is_uuid) return std::nullopt;
  return JournalPlace{*at, std::move(uuid)};
}

}  // namespace iq
