#include "host/store/sqlite_audit.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <string_view>

#include "host/store/table_rows.h"
#include "host/store/values.h"

namespace iq {
namespace {

// AuditRow's members in their order.
std::string Select(std::string_view condition) {
  return fmt::format(
      "SELECT id, at, who, action, about, detail, state, result, ended_at FROM iq_audit "
      "WHERE {} ORDER BY id DESC LIMIT $2",
      condition);
}

}  // namespace

std::int64_t SqliteAudit::Begin(const NewAct& act) {
  const std::array args = {TextValue(act.who), TextValue(act.action), TextValue(act.about),
                           TextValue(act.detail)};
  const Rows rows = session_.Query(
      "INSERT INTO iq_audit (at, who, action, about, detail) "
      "VALUES (now(), $1, $2, nullif($3, ''), $4) RETURNING id",
      args);
  return rows.At(0, 0).u.i64;
}

void SqliteAudit::End(std::int64_t id, const std::string& state, const std::string& result) {
  const std::array args = {Int64Value(id), TextValue(state), TextValue(result)};
  session_.Query(
      "UPDATE iq_audit SET state = $2, result = nullif($3, ''), ended_at = now() "
      "WHERE id = $1 AND state = 'begun'",
      args);
}

std::vector<AuditRow> SqliteAudit::List(std::optional<std::int64_t> before_id, std::int64_t limit) {
  static const std::string sql = Select("id < $1");
  const std::array args = {Int64Value(before_id.value_or(std::numeric_limits<std::int64_t>::max())),
                           Int64Value(limit)};
  return ToAuditRows(session_.Query(sql, args));
}

std::vector<AuditRow> SqliteAudit::About(const std::string& message_id, std::int64_t limit) {
  static const std::string sql = Select("about = $1");
  const std::array args = {TextValue(message_id), Int64Value(limit)};
  return ToAuditRows(session_.Query(sql, args));
}

}  // namespace iq
