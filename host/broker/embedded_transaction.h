// A write transaction that is rolled back unless it is committed.
#pragma once

#include "host/sqlite/database.h"

namespace iq::embedded {

class Transaction {
 public:
  explicit Transaction(sqlite::Database& database) : database_(database) { database_.Begin(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() { database_.Rollback(); }

  void Commit() { database_.Commit(); }

 private:
  sqlite::Database& database_;
};

}  // namespace iq::embedded
