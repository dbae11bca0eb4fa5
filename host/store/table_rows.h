// From a result's rows to those of iq's own tables: the same in every dialect.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

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

// The columns are JournalRow's members in their order.
inline std::vector<JournalRow> ToJournalRows(const Rows& rows) {
  std::vector<JournalRow> found;
  found.reserve(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::size_t column = 0;
    JournalRow& one = found.emplace_back();
    for (std::string* const text :
         {&one.uuid, &one.command_id, &one.outcome, &one.code, &one.reason, &one.events,
          &one.payload_hash, &one.correlation_id, &one.traceparent}) {
      *text = TextAt(rows, row, column++);
    }
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
