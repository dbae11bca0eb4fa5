// A look into an SQLite file for tests, independent of the host's own client.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/database.h"

struct sqlite3;

namespace iq::test {

// One connection, made on first use. Every statement is a transaction of its own unless BEGIN is
// sent; it waits up to 20 s for another connection's. Rows are text as from Database. Throws
// DatabaseError, whose code() is SQLite's extended result code. Not thread-safe.
class SqliteFile {
 public:
  explicit SqliteFile(std::string path);

  // One statement with $1, $2, …
  std::vector<Database::Row> Rows(const std::string& sql, const Database::Parameters& parameters);

  // One or more statements, no parameters, no result.
  void Exec(const std::string& sql);

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };

  sqlite3* Connected();

  std::string path_;
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace iq::test
