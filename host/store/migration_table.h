// The record of the migrations that a database has seen, in its dialect. What follows from it is
// decided in host/migrations.
#pragma once

#include <string>
#include <vector>

namespace iq {

struct MigrationRow {
  std::string folder;
  std::string name;
  std::string sha256;
};

// Statements on one session; not thread-safe. What it throws is the session's.
class MigrationTable {
 public:
  virtual ~MigrationTable() = default;

  // Returns when no other host migrates, and keeps it so until the current transaction ends.
  virtual void TakeTurn() = 0;

  // Where it is not there yet.
  virtual void Create() = 0;

  // In any order; empty where the table is not there yet.
  virtual std::vector<MigrationRow> Read() = 0;

  virtual void Note(const MigrationRow& row) = 0;
};

}  // namespace iq
