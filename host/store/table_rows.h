// From a result's rows to those of iq's own tables: the same in every dialect.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "host/store/audit_table.h"
#include "host/store/journal_table.h"
#include "host/store/migration_table.h"
#include "host/store/store.h"

namespace iq {

// Empty where the value is no text.
inline std::string TextAt(const Rows& rows, std::size_t row, std::size_t column) {
  const iq_value& value = rows.At(row, column);
  return value.type == IQ_TEXT ? std::string(value.u.s.ptr, value.u.s.len) : std::string();
}

// The first column.
inline std::vector<std::string> FirstTexts(const Rows& rows) {
  std::vector<std::string> texts;
  texts.reserve(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) texts.push_back(TextAt(rows, row, 0));
  return texts;
}

// The texts of one row, from `column` on. Returns the column after them.
inline std::size_t ReadTexts(const Rows& rows, std::size_t row, std::size_t column,
                             std::initializer_list<std::string*> texts) {
  for (std::string* const text : texts) *text = TextAt(rows, row, column++);
  return column;
}

// The first columns are JournalRow's members in their order. Returns the column after them.
inline std::size_t ReadJournalRow(const Rows& rows, std::size_t row, JournalRow& one) {
  return ReadTexts(rows, row, 0,
                   {&one.uuid, &one.command_id, &one.outcome, &one.code, &one.reason, &one.events,
                    &one.payload_hash, &one.correlation_id, &one.traceparent});
}

// The columns are JournalRow's members in their order.
inline std::vector<JournalRow> ToJournalRows(const Rows& rows) {
  std::vector<JournalRow> found(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) ReadJournalRow(rows, row, found[row]);
  return found;
}

// The columns are JournalRecord's members in their order.
inline std::vector<JournalRecord> ToJournalRecords(const Rows& rows) {
  std::vector<JournalRecord> found(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    JournalRecord& one = found[row];
    const std::size_t column =
        ReadTexts(rows, row, ReadJournalRow(rows, row, one),
                  {&one.type, &one.plugin, &one.keys, &one.committed_at, &one.repeated_at});
    one.attempts = rows.At(row, column).u.i64;
    one.repeats = rows.At(row, column + 1).u.i64;
  }
  return found;
}

// The columns are AuditRow's members in their order.
inline std::vector<AuditRow> ToAuditRows(const Rows& rows) {
  std::vector<AuditRow> found(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    AuditRow& one = found[row];
    one.id = rows.At(row, 0).u.i64;
    ReadTexts(rows, row, 1,
              {&one.at, &one.who, &one.action, &one.about, &one.detail, &one.state, &one.result,
               &one.ended_at});
  }
  return found;
}

// The columns are SilentWorker's members in their order. Empty where there is no row.
inline std::optional<SilentWorker> ToSilentWorker(const Rows& rows) {
  if (rows.size() == 0) return std::nullopt;
  return SilentWorker{TextAt(rows, 0, 0), rows.At(0, 1).u.i64, TextAt(rows, 0, 2)};
}

// The columns are MigrationRow's members in their order.
inline std::vector<MigrationRow> ToMigrationRows(const Rows& rows) {
  std::vector<MigrationRow> record;
  record.reserve(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    record.push_back({TextAt(rows, row, 0), TextAt(rows, row, 1), TextAt(rows, row, 2)});
  }
  return record;
}

}  // namespace iq
