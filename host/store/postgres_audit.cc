#include "host/store/postgres_audit.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <string_view>

#include "host/store/postgres_time.h"
#include "host/store/table_rows.h"
#include "host/store/values.h"

namespace iq {
namespace {

// AuditRow's members in their order.
std::string Select(std::string_view condition) {
  return fmt::format(
      "SELECT id, {}, who, action, about, detail::text, state, result, {} FROM iq.audit "
      "WHERE {} ORDER BY id DESC LIMIT $2::bigint",
      AsRfc3339("audit.at"), AsRfc3339("audit.ended_at"), condition);
}

}  // namespace

std::int64_t PostgresAudit::Begin(const NewAct& act) {
  const std::array args = {TextValue(act.who), TextValue(act.action), TextValue(act.about),
                           TextValue(act.detail)};
  const Rows rows = session_.Query(
      "INSERT INTO iq.audit (who, action, about, detail) "
      "VALUES ($1::text, $2::text, nullif($3::text, ''), $4::text::jsonb) RETURNING id",
      args);
  return rows.At(0, 0).u.i64;
}

void PostgresAudit::End(std::int64_t id, const std::string& state, const std::string& result) {
  const std::array args = {Int64Value(id), TextValue(state), TextValue(result)};
  session_.Query(
      "UPDATE iq.audit SET state = $2::text, result = nullif($3::text, ''), ended_at = now() "
      "WHERE id = $1::bigint AND state = 'begun'",
      args);
}

std::vector<AuditRow> PostgresAudit::List(std::optional<std::int64_t> before_id,
                                          std::int64_t limit) {
  static const std::string sql = Select("id < $1::bigint");
  const std::array args = {Int64Value(before_id.value_or(std::numeric_limits<std::int64_t>::max())),
                           Int64Value(limit)};
  return ToAuditRows(session_.Query(sql, args));
}

std::vector<AuditRow> PostgresAudit::About(const std::string& message_id, std::int64_t limit) {
  static const std::string sql = Select("about = $1::text");
  const std::array args = {TextValue(message_id), Int64Value(limit)};
  return ToAuditRows(session_.Query(sql, args));
}

}  // namespace iq
