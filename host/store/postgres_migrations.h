// The record of migrations in PostgreSQL: iq.migration.
#pragma once

#include "host/store/migration_table.h"
#include "host/store/store.h"

namespace iq {

class PostgresMigrations final : public MigrationTable {
 public:
  explicit PostgresMigrations(Session& session) : session_(session) {}

  void TakeTurn() override;
  void Create() override;
  std::vector<MigrationRow> Read() override;
  void Note(const MigrationRow& row) override;

 private:
  Session& session_;
};

}  // namespace iq
