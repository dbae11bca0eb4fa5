#include "host/store/postgres_migrations.h"

#include <array>

#include "host/store/table_rows.h"
#include "host/store/values.h"

namespace iq {

// Not bounded in time, as a script is not: another host's migration takes as long as it takes. The
// number is iq's own, an arbitrary one.
void PostgresMigrations::TakeTurn() {
  session_.RunScript("SELECT pg_advisory_xact_lock(4951760157141521516)");
}

void PostgresMigrations::Create() {
  session_.RunScript(R"(
    CREATE SCHEMA IF NOT EXISTS iq;
    CREATE TABLE IF NOT EXISTS iq.migration (
      folder     text NOT NULL,
      name       text NOT NULL,
      sha256     text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (folder, name)
    ))");
}

std::vector<MigrationRow> PostgresMigrations::Read() {
  const Rows table = session_.Query("SELECT to_regclass('iq.migration') IS NOT NULL", {});
  if (table.At(0, 0).u.i64 == 0) return {};
  return ToMigrationRows(session_.Query("SELECT folder, name, sha256 FROM iq.migration", {}));
}

void PostgresMigrations::Note(const MigrationRow& row) {
  const std::array args = {TextValue(row.folder), TextValue(row.name), TextValue(row.sha256)};
  session_.Query("INSERT INTO iq.migration (folder, name, sha256) VALUES ($1, $2, $3)", args);
}

}  // namespace iq
