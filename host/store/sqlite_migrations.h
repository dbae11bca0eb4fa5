// The record of migrations in SQLite: iq_migration.
#pragma once

#include "host/store/migration_table.h"
#include "host/store/store.h"

namespace iq {

class SqliteMigrations final : public MigrationTable {
 public:
  explicit SqliteMigrations(Session& session) : session_(session) {}

  void TakeTurn() override;
  void Create() override;
  std::vector<MigrationRow> Read() override;
  void Note(const MigrationRow& row) override;

 private:
  Session& session_;
};

}  // namespace iq
