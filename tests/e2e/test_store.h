// The tables of an installation, seen behind its back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/database.h"

namespace iq::test {

// One connection. Statements are written as PostgreSQL and SQLite both understand them, with $1,
// $2, … and iq.TABLE for the host's own tables; results are text, NULL reads as "NULL". Every call
// throws DatabaseError. Not thread-safe.
class TestStore {
 public:
  using Row = Database::Row;
  using Parameters = Database::Parameters;

  TestStore() = default;
  TestStore(const TestStore&) = delete;
  TestStore& operator=(const TestStore&) = delete;
  virtual ~TestStore() = default;

  std::vector<Row> Rows(const std::string& sql, const Parameters& parameters = {}) {
    return Run(sql, parameters);
  }

  // The only column of the only row; anything else throws.
  std::string Value(const std::string& sql, const Parameters& parameters = {});

  // What each of `queries` shows of one and the same moment.
  virtual std::vector<std::vector<Row>> Snapshot(const std::vector<std::string>& queries) = 0;

  // How many tables `iq migrate` has made.
  virtual std::size_t Tables() = 0;
  // Makes every journal row older by so much.
  virtual void AgeJournal(std::int64_t age_s) = 0;
  // Whether no transaction is open, of whatever connection.
  virtual bool Idle() = 0;

 private:
  virtual std::vector<Row> Run(const std::string& sql, const Parameters& parameters) = 0;
};

// ('a','b',…), as IN wants it. The texts must not have quotes.
std::string SqlList(const std::vector<std::string>& texts);

}  // namespace iq::test
