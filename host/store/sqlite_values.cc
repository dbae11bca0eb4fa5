#include "host/store/sqlite_values.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "host/base/utf8.h"
#include "host/store/sqlite_error.h"

namespace iq {
namespace {

using Texts = std::deque<std::string>;  // A deque never moves what it holds.

// iq_str may have a null pointer where its length is zero.
std::string_view View(const iq_str& text) {
  return text.len == 0 ? std::string_view{} : std::string_view{text.ptr, text.len};
}

// The number in "$7". SQLite takes `$1::bigint` for a name, too.
std::size_t PositionOf(const char* name) {
  const std::string_view text = name == nullptr ? "?" : name;
  std::size_t position = 0;
  const char* const end = text.data() + text.size();
  const bool is_ours = text.starts_with('$') && text.size() > 1;
  if (is_ours && std::from_chars(text.data() + 1, end, position).ptr == end && position > 0) {
    return position;
  }
  throw StatementError("42601", fmt::format("{} is no parameter: they are written $1, $2, …, and a "
                                            "cast is written CAST($1 AS INTEGER) here",
                                            text));
}

void BindText(sqlite::Statement& statement, int index, std::string_view text,
              std::size_t position) {
  if (!IsValidUtf8(text)) {
    throw StatementError(
        "22021", fmt::format("parameter ${} is a text with a NUL byte or invalid UTF-8", position));
  }
  statement.Bind(index, text);
}

void BindDouble(sqlite::Statement& statement, int index, double number, std::size_t position) {
  if (std::isnan(number)) {
    throw StatementError("22003",
                         fmt::format("parameter ${} is NaN, which SQLite cannot hold", position));
  }
  statement.Bind(index, number);
}

void Bind(sqlite::Statement& statement, int index, const iq_value& value, std::size_t position) {
  switch (value.type) {
    case IQ_NULL:
      statement.BindNull(index);
      return;
    case IQ_BOOL:
      statement.Bind(index, std::int64_t{value.u.i64 != 0 ? 1 : 0});
      return;
    case IQ_INT64:
      statement.Bind(index, std::int64_t{value.u.i64});
      return;
    case IQ_DOUBLE:
      BindDouble(statement, index, value.u.f64, position);
      return;
    case IQ_TEXT:
    case IQ_JSON:
      BindText(statement, index, View(value.u.s), position);
      return;
    case IQ_BYTES:
      statement.BindBytes(index, View(value.u.s));
      return;
    case IQ_INT64_ARRAY:
    case IQ_TEXT_ARRAY:
      throw StatementError(
          "0A000", fmt::format("parameter ${} is an array, which SQLite has not: run the statement "
                               "for each item, or give a JSON text to json_each(${})",
                               position, position));
    default:
      throw StatementError(
          "42804", fmt::format("parameter ${} has the unknown type {}", position, value.type));
  }
}

iq_value ReadValue(const sqlite::Statement& statement, int column, Texts& texts) {
  iq_value value{};
  switch (const int type = statement.column_type(column)) {
    case SQLITE_NULL:
      return value;
    case SQLITE_INTEGER:
      value.type = IQ_INT64;
      value.u.i64 = statement.Integer(column);
      return value;
    case SQLITE_FLOAT:
      value.type = IQ_DOUBLE;
      value.u.f64 = statement.Double(column);
      return value;
    default: {
      const std::string& text = texts.emplace_back(statement.Text(column));
      value.type = type == SQLITE_BLOB ? IQ_BYTES : IQ_TEXT;
      value.u.s = {text.data(), text.size()};
      return value;
    }
  }
}

}  // namespace

void BindArguments(sqlite::Statement& statement, std::span<const iq_value> args) {
  sqlite3_stmt* const handle = statement.handle();
  const int count = sqlite3_bind_parameter_count(handle);
  std::size_t wanted = 0;
  for (int index = 1; index <= count; ++index) {
    const std::size_t position = PositionOf(sqlite3_bind_parameter_name(handle, index));
    wanted = std::max(wanted, position);
    if (position <= args.size()) Bind(statement, index, args[position - 1], position);
  }
  if (wanted != args.size()) {
    throw StatementError("07001", fmt::format("{} parameters were given, the statement wants {}",
                                              args.size(), wanted));
  }
}

Rows ReadRows(sqlite::Statement& statement) {
  Rows rows;
  auto texts = std::make_shared<Texts>();
  while (statement.Step()) {
    const int columns = statement.columns();
    rows.columns = static_cast<std::size_t>(columns);
    for (int column = 0; column < columns; ++column) {
      rows.cells.push_back(ReadValue(statement, column, *texts));
    }
  }
  rows.columns = static_cast<std::size_t>(statement.columns());
  rows.owner = std::move(texts);
  return rows;
}

}  // namespace iq
