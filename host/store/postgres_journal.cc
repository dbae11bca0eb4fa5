#include "host/store/postgres_journal.h"

#include <fmt/format.h>

#include <array>

#include "host/base/rfc3339.h"
#include "host/store/postgres_session.h"
#include "host/store/postgres_time.h"
#include "host/store/table_rows.h"
#include "host/store/values.h"

namespace iq {
namespace {

constexpr const char* kColumns =
    "message_id::text, command_id, outcome, code, reason, events::text, "
    "encode(payload_hash, 'hex'), correlation_id, traceparent";

// JournalRecord's members in their order.
const std::string& RecordColumns() {
  static const std::string columns =
      fmt::format("{}, type, plugin, array_to_json(keys)::text, {}, {}, attempts, repeats",
                  kColumns, AsRfc3339("committed_at"), AsRfc3339("repeated_at"));
  return columns;
}

std::vector<iq_str> Borrow(std::span<const std::string> texts) {
  std::vector<iq_str> borrowed;
  borrowed.reserve(texts.size());
  for (const std::string& text : texts) borrowed.push_back({text.data(), text.size()});
  return borrowed;
}

// As a text that is cast to text[]: every element is quoted, so that it may hold anything.
std::string AsArray(std::span<const std::string> texts) {
  std::string array = "{";
  for (const std::string& text : texts) {
    if (array.size() > 1) array += ',';
    array += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') array += '\\';
      array += c;
    }
    array += '"';
  }
  return array + '}';
}

std::vector<std::string> KeysOf(std::span<const NewJournalRow> rows) {
  std::vector<std::string> keys;
  keys.reserve(rows.size());
  for (const NewJournalRow& row : rows) keys.push_back(AsArray(row.keys));
  return keys;
}

// One member of all rows: the array that a column is inserted from.
std::vector<iq_str> Borrow(std::span<const NewJournalRow> rows,
                           std::string NewJournalRow::*member) {
  std::vector<iq_str> borrowed;
  borrowed.reserve(rows.size());
  for (const NewJournalRow& row : rows) {
    borrowed.push_back({(row.*member).data(), (row.*member).size()});
  }
  return borrowed;
}

// What a search looks at and for. $1 to $3 are the window, $4 is the limit; the filter's parameters
// are appended to `args`.
std::string Conditions(const JournalFilter& filter, std::vector<iq_value>& args) {
  const auto add = [&args](const std::string& text) {
    args.push_back(TextValue(text));
    return args.size();
  };
  std::string all =
      "committed_at >= $1::timestamptz AND committed_at <= $2::timestamptz "
      "AND (committed_at, message_id) < ($2::timestamptz, $3::uuid)";
  if (!filter.uuid.empty()) all += fmt::format(" AND message_id = ${}::uuid", add(filter.uuid));
  if (!filter.key.empty()) all += fmt::format(" AND keys @> ARRAY[${}::text]", add(filter.key));
  if (!filter.type.empty()) all += fmt::format(" AND type = ${}::text", add(filter.type));
  if (filter.outcome == "rejected") {
    all += " AND outcome = 'rejected'";  // In the very words of the partial index.
  } else if (!filter.outcome.empty()) {
    all += fmt::format(" AND outcome = ${}::text", add(filter.outcome));
  }
  return all;
}

// An index has the order but for the UUIDs of one time.
std::string SelectInOrder(const std::string& conditions) {
  return fmt::format(
      "SELECT {} FROM iq.journal AS j WHERE {} "
      "ORDER BY j.committed_at DESC, j.message_id DESC LIMIT $4::bigint",
      RecordColumns(), conditions);
}

// The index on keys has no order. Without the fence the planner would rather go through the rows by
// time until it has met enough with the key: for a rare key that is all of them.
std::string SelectByKey(const std::string& conditions) {
  return fmt::format(
      "WITH hit AS MATERIALIZED (SELECT message_id, committed_at FROM iq.journal WHERE {}) "
      "SELECT {} FROM iq.journal AS j WHERE j.message_id IN (SELECT hit.message_id FROM hit "
      "ORDER BY hit.committed_at DESC, hit.message_id DESC LIMIT $4::bigint) "
      "ORDER BY j.committed_at DESC, j.message_id DESC",
      conditions, RecordColumns());
}

// Rolls back at the end what was not committed.
class Transaction {
 public:
  explicit Transaction(Session& session) : session_(session) { session_.Begin(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() { session_.Rollback(); }

 private:
  Session& session_;
};

}  // namespace

// Not from both at once: while one of them is empty, that would read all of the other.
void PostgresJournal::Check() {
  session_.Query("SELECT keys, repeats FROM iq.journal LIMIT 1", {});
  session_.Query("SELECT 1 FROM iq.worker LIMIT 1", {});
}

void PostgresJournal::Ask(std::span<const std::string> uuids) {
  static const std::string sql =
      fmt::format("SELECT {} FROM iq.journal WHERE message_id = ANY($1::text[]::uuid[])", kColumns);
  const std::vector<iq_str> borrowed = Borrow(uuids);
  const std::array args = {ArrayValue(std::span<const iq_str>(borrowed))};
  session_.Ask(sql, args);
}

std::vector<JournalRow> PostgresJournal::Answer() { return ToJournalRows(session_.Answer()); }

void PostgresJournal::Insert(std::span<const NewJournalRow> rows, const std::string& worker,
                             std::int64_t batch) {
  using Row = NewJournalRow;
  constexpr std::array<std::string Row::*, 11> kTexts{
      &Row::uuid,   &Row::command_id,     &Row::type,       &Row::outcome,
      &Row::code,   &Row::reason,         &Row::events,     &Row::payload_hash,
      &Row::plugin, &Row::correlation_id, &Row::traceparent};
  std::array<std::vector<iq_str>, kTexts.size()> texts;
  std::vector<iq_value> args;
  args.reserve(kTexts.size() + 4);
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    texts[i] = Borrow(rows, kTexts[i]);
    args.push_back(ArrayValue(std::span<const iq_str>(texts[i])));
  }
  std::vector<std::int64_t> attempts;
  attempts.reserve(rows.size());
  for (const Row& row : rows) attempts.push_back(row.attempts);
  args.push_back(ArrayValue(std::span<const std::int64_t>(attempts)));
  const std::vector<std::string> keys = KeysOf(rows);
  const std::vector<iq_str> borrowed_keys = Borrow(keys);
  args.push_back(ArrayValue(std::span<const iq_str>(borrowed_keys)));
  args.push_back(TextValue(worker));
  args.push_back(Int64Value(batch));
  session_.Execute(
      "INSERT INTO iq.journal (message_id, command_id, type, outcome, code, reason, events, "
      "payload_hash, plugin, correlation_id, traceparent, attempts, keys, worker, batch) "
      "SELECT message_id::uuid, command_id, type, outcome, nullif(code, ''), nullif(reason, ''), "
      "events::jsonb, decode(payload_hash, 'hex'), plugin, nullif(correlation_id, ''), "
      "nullif(traceparent, ''), attempts, keys::text[], $14::text::uuid, $15::bigint "
      "FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], "
      "$7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::text[]) "
      "AS line (message_id, command_id, type, outcome, code, reason, events, payload_hash, plugin, "
      "correlation_id, traceparent, attempts, keys)",
      args);
}

bool PostgresJournal::IsRepeat(const StoreError& error) const {
  return error.kind() == StoreError::Kind::kDuplicate && error.constraint() == "journal_pkey";
}

// In the order of the keys, as RemoveRejected: two that lock the same rows wait for each other in
// one direction only.
void PostgresJournal::NoteRepeats(std::span<const std::string> uuids) {
  const std::vector<iq_str> borrowed = Borrow(uuids);
  const std::array args = {ArrayValue(std::span<const iq_str>(borrowed))};
  session_.Query(
      "WITH came AS (SELECT uuid::uuid, count(*) AS times FROM unnest($1::text[]) AS t (uuid) "
      "GROUP BY 1), "
      "locked AS (SELECT j.message_id, came.times FROM iq.journal AS j JOIN came "
      "ON j.message_id = came.uuid ORDER BY j.message_id FOR NO KEY UPDATE OF j) "
      "UPDATE iq.journal AS j SET repeats = j.repeats + locked.times, repeated_at = now() "
      "FROM locked WHERE j.message_id = locked.message_id",
      args);
}

void PostgresJournal::NoteProgress(const WorkerRow& worker, bool in_transaction) {
  constexpr std::string_view kSql =
      "INSERT INTO iq.worker AS w (id, confirmed, confirmed_at, seen_at, host, pid) "
      "VALUES ($1::text::uuid, $2::bigint, now(), now(), $4::text, $5::int) "
      "ON CONFLICT (id) DO UPDATE SET confirmed = excluded.confirmed, seen_at = excluded.seen_at, "
      "confirmed_at = CASE WHEN $3::boolean THEN excluded.confirmed_at ELSE w.confirmed_at END";
  const std::array args = {TextValue(worker.id), Int64Value(worker.confirmed),
                           BoolValue(worker.bounds_unconfirmed), TextValue(worker.host),
                           Int64Value(worker.pid)};
  if (in_transaction) {
    session_.Execute(kSql, args);
  } else {
    session_.Query(kSql, args);
  }
}

std::optional<SilentWorker> PostgresJournal::ClaimSilentWorker(std::chrono::milliseconds silence) {
  const std::array args = {Int64Value(silence.count())};
  return ToSilentWorker(session_.Query(
      "UPDATE iq.worker SET seen_at = now() WHERE id = (SELECT id FROM iq.worker "
      "WHERE seen_at < now() - $1::bigint * interval '1 millisecond' "
      "ORDER BY seen_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id::text, confirmed, "
      "seen_at::text",
      args));
}

std::vector<JournalRow> PostgresJournal::Unconfirmed(const SilentWorker& worker,
                                                     const std::string& after_uuid,
                                                     std::int64_t limit) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM iq.journal WHERE worker = $1::text::uuid AND batch > $2::bigint "
      "AND committed_at >= (SELECT confirmed_at - interval '1 minute' FROM iq.worker "
      "WHERE id = $1::text::uuid) "
      "AND events <> '[]' AND message_id > $3::text::uuid ORDER BY message_id LIMIT $4::bigint",
      kColumns);
  const std::array args = {TextValue(worker.id), Int64Value(worker.confirmed),
                           TextValue(after_uuid), Int64Value(limit)};
  return ToJournalRows(session_.Query(sql, args));
}

void PostgresJournal::RemoveSilentWorker(const SilentWorker& worker) {
  const std::array args = {TextValue(worker.id), TextValue(worker.seen_at)};
  session_.Query(
      "DELETE FROM iq.worker WHERE id = $1::text::uuid AND seen_at = $2::text::timestamptz", args);
}

void PostgresJournal::RemoveWorker(const std::string& id) {
  const std::array args = {TextValue(id)};
  session_.Query("DELETE FROM iq.worker WHERE id = $1::text::uuid", args);
}

std::int64_t PostgresJournal::Prune(std::chrono::milliseconds keep, std::int64_t limit) {
  const std::array args = {Int64Value(keep.count()), Int64Value(limit)};
  const Rows rows = session_.Query(
      "WITH old AS (SELECT message_id FROM iq.journal "
      "WHERE committed_at < now() - $1::bigint * interval '1 millisecond' "
      "ORDER BY committed_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED), "
      "gone AS (DELETE FROM iq.journal WHERE message_id IN (SELECT message_id FROM old) RETURNING "
      "1) "
      "SELECT count(*) FROM gone",
      args);
  return rows.At(0, 0).u.i64;
}

// The rows as the server's statistics have them: to count ten million takes it seconds.
JournalTable::Extent PostgresJournal::Measure() {
  const Rows rows = session_.Query(
      "SELECT n_live_tup, coalesce((SELECT (extract(epoch FROM now() - min(committed_at)) * 1000)"
      "::bigint FROM iq.journal), 0) FROM pg_stat_all_tables WHERE relid = 'iq.journal'::regclass",
      {});
  if (rows.size() == 0) return {};
  return {rows.At(0, 0).u.i64, std::chrono::milliseconds(rows.At(0, 1).u.i64)};
}

// Planned for these very values: which index serves best depends on how long the window is and how
// common what is looked for. To compile it takes longer than to run it.
std::vector<JournalRecord> PostgresJournal::Search(const JournalFilter& filter,
                                                   const JournalWindow& window,
                                                   std::int64_t limit) {
  const std::string from = Rfc3339(window.from);
  const std::string before = Rfc3339(window.before.at);
  std::vector<iq_value> args{TextValue(from), TextValue(before), TextValue(window.before.uuid),
                             Int64Value(limit)};
  const std::string conditions = Conditions(filter, args);
  const Transaction transaction(session_);
  session_.Execute("SET LOCAL plan_cache_mode = force_custom_plan", {});
  session_.Execute("SET LOCAL jit = off", {});
  const Rows rows = session_.Query(
      filter.key.empty() ? SelectInOrder(conditions) : SelectByKey(conditions), args);
  session_.Commit();
  return ToJournalRecords(rows);
}

std::vector<std::string> PostgresJournal::RemoveRejected(std::span<const std::string> uuids) {
  const std::vector<iq_str> borrowed = Borrow(uuids);
  const std::array args = {ArrayValue(std::span<const iq_str>(borrowed))};
  return FirstTexts(
      session_.Query("WITH locked AS (SELECT message_id FROM iq.journal "
                     "WHERE message_id = ANY($1::text[]::uuid[]) AND outcome = 'rejected' "
                     "ORDER BY message_id FOR UPDATE) "
                     "DELETE FROM iq.journal WHERE message_id IN (SELECT message_id FROM locked) "
                     "RETURNING message_id::text",
                     args));
}

}  // namespace iq
