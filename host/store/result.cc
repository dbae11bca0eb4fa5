#include "host/store/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <utility>

#include "host/store/sqlstate.h"

namespace iq {
namespace {

// Type numbers of PostgreSQL's pg_type, fixed for ever.
constexpr Oid kBool = 16;
constexpr Oid kBytea = 17;
constexpr Oid kInt8 = 20;
constexpr Oid kInt2 = 21;
constexpr Oid kInt4 = 23;
constexpr Oid kFloat4 = 700;
constexpr Oid kFloat8 = 701;

struct Owner {
  Result result;
  std::deque<std::string> bytes;  // The decoded bytea values: a deque never moves them.
};

std::string_view Field(const Result& result, int field) {
  const char* text = PQresultErrorField(result.get(), field);
  return text == nullptr ? std::string_view{} : std::string_view{text};
}

template <typename Number>
Number Parse(std::string_view text) {
  Number number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

unsigned Nibble(char digit) {
  return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

// `text` is bytea's hex form; the connection's settings rule the older escape form out.
std::string Unhex(std::string_view text) {
  text.remove_prefix(2);
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(Nibble(text[i]) << 4U | Nibble(text[i + 1]));
  }
  return bytes;
}

iq_value TextValue(std::uint32_t type, std::string_view text) {
  iq_value value{};
  value.type = type;
  value.u.s = {text.data(), text.size()};
  return value;
}

iq_value ToValue(Oid type, std::string_view text, std::deque<std::string>& bytes) {
  iq_value value{};
  switch (type) {
    case kBool:
      value.type = IQ_BOOL;
      value.u.i64 = text == "t" ? 1 : 0;
      return value;
    case kInt2:
    case kInt4:
    case kInt8:
      value.type = IQ_INT64;
      value.u.i64 = Parse<std::int64_t>(text);
      return value;
    case kFloat4:
    case kFloat8:
      value.type = IQ_DOUBLE;
      value.u.f64 = Parse<double>(text);
      return value;
    case kBytea:
      return TextValue(IQ_BYTES, bytes.emplace_back(Unhex(text)));
    default:
      return TextValue(IQ_TEXT, text);
  }
}

StoreError::Kind KindOf(Blame blame) {
  switch (blame) {
    case Blame::kConflict:
      return StoreError::Kind::kConflict;
    case Blame::kDuplicate:
      return StoreError::Kind::kDuplicate;
    case Blame::kDeadline:
      return StoreError::Kind::kDeadline;
    case Blame::kServer:
    case Blame::kStatement:
      break;
  }
  return StoreError::Kind::kStatement;
}

}  // namespace

std::string_view SqlState(const Result& result) { return Field(result, PG_DIAG_SQLSTATE); }

std::string PrimaryMessage(const Result& result) {
  std::string_view message = Field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = PQresultErrorMessage(result.get());
  return std::string(message.substr(0, message.find_last_not_of("\r\n ") + 1));
}

bool EndsSession(const Result& result) {
  return Field(result, PG_DIAG_SEVERITY_NONLOCALIZED) != "ERROR";
}

std::size_t ErrorPosition(const Result& result) {
  return Parse<std::size_t>(Field(result, PG_DIAG_STATEMENT_POSITION));
}

StoreError ToStoreError(const Result& result) {
  const std::string code(SqlState(result));
  return {KindOf(BlameOf(code)), code, std::string(Field(result, PG_DIAG_CONSTRAINT_NAME)),
          fmt::format("{} (SQLSTATE {})", PrimaryMessage(result), code)};
}

std::string_view CommandTag(const Result& result) { return PQcmdStatus(result.get()); }

std::uint64_t RowsMet(const Result& result) {
  return Parse<std::uint64_t>(PQcmdTuples(result.get()));
}

std::uint64_t RowsChanged(const Result& result) {
  constexpr std::array<std::string_view, 4> kVerbs{"INSERT ", "UPDATE ", "DELETE ", "MERGE "};
  const std::string_view tag = CommandTag(result);
  const bool changes = std::any_of(kVerbs.begin(), kVerbs.end(),
                                   [tag](std::string_view verb) { return tag.starts_with(verb); });
  return changes ? RowsMet(result) : 0;
}

Rows ToRows(Result result) {
  auto owner = std::make_shared<Owner>();
  owner->result = std::move(result);
  const PGresult* const table = owner->result.get();
  const int columns = PQnfields(table);
  const int rows = PQntuples(table);
  Rows out;
  out.columns = static_cast<std::size_t>(columns);
  out.cells.reserve(out.columns * static_cast<std::size_t>(rows));
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(table, row, column) != 0) {
        out.cells.push_back(iq_value{});
        continue;
      }
      const std::string_view text(PQgetvalue(table, row, column),
                                  static_cast<std::size_t>(PQgetlength(table, row, column)));
      out.cells.push_back(ToValue(PQftype(table, column), text, owner->bytes));
    }
  }
  out.owner = std::move(owner);
  return out;
}

}  // namespace iq
