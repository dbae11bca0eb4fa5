#include "host/store/sqlite_journal.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "host/base/rfc3339.h"
#include "host/store/table_rows.h"
#include "host/store/values.h"

namespace iq {
namespace {

constexpr const char* kColumns =
    "message_id, command_id, outcome, code, reason, events, payload_hash, correlation_id, "
    "traceparent";

std::string Ago(std::chrono::milliseconds age) {
  return Rfc3339(std::chrono::system_clock::now() - age);
}

// Always in the same form, so that an element can be searched for as a text within the array.
std::string ElementJson(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      json += fmt::format("\\u{:04x}", byte);
      continue;
    }
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  return json + '"';
}

std::string JsonArray(std::span<const std::string> texts) {
  std::string array = "[";
  for (const std::string& text : texts) {
    if (array.size() > 1) array += ',';
    array += ElementJson(text);
  }
  return array + ']';
}

// What a search looks at and for. $1 to $3 are the window, $4 is the limit; the filter's parameters
// are appended to `args`. `key` is the filter's as ElementJson. What that is found in is mostly
// right, and json_each makes sure.
std::string Conditions(const JournalFilter& filter, const std::string& key,
                       std::vector<iq_value>& args) {
  const auto add = [&args](const std::string& text) {
    args.push_back(TextValue(text));
    return args.size();
  };
  std::string all =
      "committed_at >= $1 AND committed_at <= $2 AND (committed_at, message_id) < ($2, $3)";
  if (!filter.uuid.empty()) all += fmt::format(" AND message_id = ${}", add(filter.uuid));
  if (!filter.type.empty()) all += fmt::format(" AND type = ${}", add(filter.type));
  if (filter.outcome == "rejected") {
    all += " AND outcome = 'rejected'";  // In the very words of the partial index.
  } else if (!filter.outcome.empty()) {
    all += fmt::format(" AND outcome = ${}", add(filter.outcome));
  }
  if (!filter.key.empty()) {
    all += fmt::format(" AND instr(keys, ${}) > 0", add(key));
    all += fmt::format(
        " AND EXISTS (SELECT 1 FROM json_each(iq_journal.keys) AS one WHERE one.value = ${})",
        add(filter.key));
  }
  return all;
}

}  // namespace

// Not from both at once: while one of them is empty, that would read all of the other.
void SqliteJournal::Check() {
  session_.Query("SELECT keys, repeats FROM iq_journal LIMIT 1", {});
  session_.Query("SELECT 1 FROM iq_worker LIMIT 1", {});
}

void SqliteJournal::Ask(std::span<const std::string> uuids) { asked_ = JsonArray(uuids); }

std::vector<JournalRow> SqliteJournal::Answer() {
  static const std::string sql = fmt::format(
      "SELECT {} FROM iq_journal WHERE message_id IN (SELECT value FROM json_each($1))", kColumns);
  const std::array args = {TextValue(asked_)};
  return ToJournalRows(session_.Query(sql, args));
}

void SqliteJournal::Insert(std::span<const NewJournalRow> rows, const std::string& worker,
                           std::int64_t batch) {
  constexpr std::string_view kSql =
      "INSERT INTO iq_journal (message_id, command_id, type, outcome, code, reason, events, "
      "payload_hash, plugin, correlation_id, traceparent, attempts, worker, batch, keys, "
      "committed_at) "
      "VALUES ($1, $2, $3, $4, nullif($5, ''), nullif($6, ''), $7, $8, $9, nullif($10, ''), "
      "nullif($11, ''), $12, $13, $14, $15, now())";
  for (const NewJournalRow& row : rows) {
    const std::string keys = JsonArray(row.keys);
    const std::array args = {TextValue(row.uuid),
                             TextValue(row.command_id),
                             TextValue(row.type),
                             TextValue(row.outcome),
                             TextValue(row.code),
                             TextValue(row.reason),
                             TextValue(row.events),
                             TextValue(row.payload_hash),
                             TextValue(row.plugin),
                             TextValue(row.correlation_id),
                             TextValue(row.traceparent),
                             Int64Value(row.attempts),
                             TextValue(worker),
                             Int64Value(batch),
                             TextValue(keys)};
    session_.Execute(kSql, args);
  }
}

bool SqliteJournal::IsRepeat(const StoreError& error) const {
  return error.kind() == StoreError::Kind::kDuplicate && error.constraint() == "iq_journal_pkey";
}

void SqliteJournal::NoteRepeats(std::span<const std::string> uuids) {
  const std::string array = JsonArray(uuids);
  const std::array args = {TextValue(array)};
  session_.Query(
      "UPDATE iq_journal SET repeats = repeats + came.times, repeated_at = now() "
      "FROM (SELECT value, count(*) AS times FROM json_each($1) GROUP BY 1) AS came "
      "WHERE message_id = came.value",
      args);
}

void SqliteJournal::NoteProgress(const WorkerRow& worker, bool in_transaction) {
  constexpr std::string_view kSql =
      "INSERT INTO iq_worker AS w (id, confirmed, confirmed_at, seen_at, host, pid) "
      "VALUES ($1, $2, now(), now(), $4, $5) "
      "ON CONFLICT (id) DO UPDATE SET confirmed = excluded.confirmed, seen_at = excluded.seen_at, "
      "confirmed_at = CASE WHEN $3 THEN excluded.confirmed_at ELSE w.confirmed_at END";
  const std::array args = {TextValue(worker.id), Int64Value(worker.confirmed),
                           BoolValue(worker.bounds_unconfirmed), TextValue(worker.host),
                           Int64Value(worker.pid)};
  if (in_transaction) {
    session_.Execute(kSql, args);
  } else {
    session_.Query(kSql, args);
  }
}

std::optional<SilentWorker> SqliteJournal::ClaimSilentWorker(std::chrono::milliseconds silence) {
  const std::string since = Ago(silence);
  const std::array args = {TextValue(since)};
  return ToSilentWorker(session_.Query(
      "UPDATE iq_worker SET seen_at = now() WHERE id = (SELECT id FROM iq_worker "
      "WHERE seen_at < $1 ORDER BY seen_at LIMIT 1) RETURNING id, confirmed, seen_at",
      args));
}

std::vector<JournalRow> SqliteJournal::Unconfirmed(const SilentWorker& worker,
                                                   const std::string& after_uuid,
                                                   std::int64_t limit) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM iq_journal WHERE worker = $1 AND batch > $2 "
      "AND committed_at >= (SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', confirmed_at, '-1 minute') "
      "FROM iq_worker WHERE id = $1) "
      "AND events <> '[]' AND message_id > $3 ORDER BY message_id LIMIT $4",
      kColumns);
  const std::array args = {TextValue(worker.id), Int64Value(worker.confirmed),
                           TextValue(after_uuid), Int64Value(limit)};
  return ToJournalRows(session_.Query(sql, args));
}

void SqliteJournal::RemoveSilentWorker(const SilentWorker& worker) {
  const std::array args = {TextValue(worker.id), TextValue(worker.seen_at)};
  session_.Query("DELETE FROM iq_worker WHERE id = $1 AND seen_at = $2", args);
}

void SqliteJournal::RemoveWorker(const std::string& id) {
  const std::array args = {TextValue(id)};
  session_.Query("DELETE FROM iq_worker WHERE id = $1", args);
}

std::int64_t SqliteJournal::Prune(std::chrono::milliseconds keep, std::int64_t limit) {
  const std::string before = Ago(keep);
  const std::array args = {TextValue(before), Int64Value(limit)};
  const Rows rows = session_.Query(
      "DELETE FROM iq_journal WHERE message_id IN (SELECT message_id FROM iq_journal "
      "WHERE committed_at < $1 ORDER BY committed_at LIMIT $2) RETURNING 1",
      args);
  return static_cast<std::int64_t>(rows.size());
}

JournalTable::Extent SqliteJournal::Measure() {
  const Rows rows = session_.Query(
      "SELECT count(*), coalesce(CAST((julianday('now') - julianday(min(committed_at))) * 86400000 "
      "AS INTEGER), 0) FROM iq_journal",
      {});
  return {rows.At(0, 0).u.i64, std::chrono::milliseconds(rows.At(0, 1).u.i64)};
}

std::vector<JournalRecord> SqliteJournal::Search(const JournalFilter& filter,
                                                 const JournalWindow& window, std::int64_t limit) {
  const std::string from = Rfc3339(window.from);
  const std::string before = Rfc3339(window.before.at);
  const std::string key = ElementJson(filter.key);
  std::vector<iq_value> args{TextValue(from), TextValue(before), TextValue(window.before.uuid),
                             Int64Value(limit)};
  const std::string sql = fmt::format(
      "SELECT {}, type, plugin, keys, committed_at, repeated_at, attempts, repeats "
      "FROM iq_journal WHERE {} "
      "ORDER BY committed_at DESC, message_id DESC LIMIT $4",
      kColumns, Conditions(filter, key, args));
  return ToJournalRecords(session_.Query(sql, args));
}

std::vector<std::string> SqliteJournal::RemoveRejected(std::span<const std::string> uuids) {
  const std::string array = JsonArray(uuids);
  const std::array args = {TextValue(array)};
  return FirstTexts(
      session_.Query("DELETE FROM iq_journal WHERE message_id IN (SELECT value FROM json_each($1)) "
                     "AND outcome = 'rejected' RETURNING message_id",
                     args));
}

}  // namespace iq
