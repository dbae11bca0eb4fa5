#include "host/store/sqlite_error.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace iq {
namespace {

using Kind = StoreError::Kind;

constexpr const char* kNone = "HY000";

StoreError Make(Kind kind, const char* code, const std::string& constraint,
                std::string_view message) {
  return {kind, code, constraint, fmt::format("{} (SQLSTATE {})", message, code)};
}

// SQLite tells most mistakes in a statement apart by its message only.
const char* CodeOfMessage(std::string_view message) {
  using Known = std::pair<std::string_view, const char*>;
  constexpr std::array<Known, 6> kKnown{
      Known{"no such table", "42P01"},    Known{"no such column", "42703"},
      Known{"no such function", "42883"}, Known{"near ", "42601"},
      Known{"incomplete input", "42601"}, Known{"integer overflow", "22003"}};
  for (const auto& [beginning, code] : kKnown) {
    if (message.starts_with(beginning)) return code;
  }
  return kNone;
}

std::string_view AfterColon(std::string_view message) {
  constexpr std::string_view kColon = ": ";
  const auto colon = message.find(kColon);
  return colon == std::string_view::npos ? std::string_view{}
                                         : message.substr(colon + kColon.size());
}

// From "TABLE.COLUMN, TABLE.COLUMN" or "index 'NAME'".
std::string UniqueName(std::string_view where, bool primary) {
  constexpr std::string_view kIndex = "index '";
  if (where.starts_with(kIndex)) {
    where.remove_prefix(kIndex.size());
    return std::string(where.substr(0, where.rfind('\'')));
  }
  std::string name(where.substr(0, where.find('.')));
  if (primary) return name + "_pkey";
  while (!where.empty()) {
    const auto end = where.find(", ");
    const std::string_view column = where.substr(0, end);
    name += '_';
    name += column.substr(column.find('.') + 1);
    where = end == std::string_view::npos ? std::string_view{} : where.substr(end + 2);
  }
  return name + "_key";
}

StoreError ConstraintError(int code, std::string_view message) {
  const std::string_view where = AfterColon(message);
  switch (code) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return Make(Kind::kDuplicate, "23505", UniqueName(where, true), message);
    case SQLITE_CONSTRAINT_UNIQUE:
      return Make(Kind::kDuplicate, "23505", UniqueName(where, false), message);
    case SQLITE_CONSTRAINT_CHECK:
      return Make(Kind::kStatement, "23514", std::string(where), message);
    case SQLITE_CONSTRAINT_NOTNULL:
      return Make(Kind::kStatement, "23502", "", message);
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return Make(Kind::kStatement, "23503", "", message);
    case SQLITE_CONSTRAINT_DATATYPE:
      return Make(Kind::kStatement, "42804", "", message);
    case SQLITE_CONSTRAINT_TRIGGER:
      return Make(Kind::kStatement, "P0001", "", message);
    default:
      return Make(Kind::kStatement, "23000", "", message);
  }
}

}  // namespace

StoreError StatementError(const char* code, const std::string& message) {
  return Make(Kind::kStatement, code, "", message);
}

StoreError ToStoreError(const sqlite::Failure& failure) {
  const std::string_view message = failure.what();
  switch (failure.code() & 0xff) {
    case SQLITE_CONSTRAINT:
      return ConstraintError(failure.code(), message);
    case SQLITE_INTERRUPT:
      return Make(Kind::kDeadline, "57014", "", "the statement ran longer than it may");
    case SQLITE_MISMATCH:
      return Make(Kind::kStatement, "42804", "", message);
    case SQLITE_TOOBIG:
      return Make(Kind::kStatement, "54000", "", message);
    case SQLITE_NOMEM:
      return Make(Kind::kStatement, "53200", "", message);
    case SQLITE_AUTH:
      return Make(Kind::kStatement, "42501", "", message);
    default:
      return Make(Kind::kStatement, CodeOfMessage(message), "", message);
  }
}

}  // namespace iq
