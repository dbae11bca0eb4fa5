#include "host/store/sqlite_migrations.h"

#include <array>

#include "host/store/table_rows.h"
#include "host/store/values.h"

namespace iq {

// Begin took it: there is one turn to write.
void SqliteMigrations::TakeTurn() {}

void SqliteMigrations::Create() {
  session_.RunScript(R"(
    CREATE TABLE IF NOT EXISTS iq_migration (
      folder     TEXT NOT NULL,
      name       TEXT NOT NULL,
      sha256     TEXT NOT NULL,
      applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
      PRIMARY KEY (folder, name)
    ) STRICT)");
}

std::vector<MigrationRow> SqliteMigrations::Read() {
  const Rows table = session_.Query(
      "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'iq_migration'", {});
  if (table.At(0, 0).u.i64 == 0) return {};
  return ToMigrationRows(session_.Query("SELECT folder, name, sha256 FROM iq_migration", {}));
}

void SqliteMigrations::Note(const MigrationRow& row) {
  const std::array args = {TextValue(row.folder), TextValue(row.name), TextValue(row.sha256)};
  session_.Query("INSERT INTO iq_migration (folder, name, sha256) VALUES ($1, $2, $3)", args);
}

}  // namespace iq
