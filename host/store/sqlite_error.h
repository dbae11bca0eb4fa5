// Which of the contract's errors an SQLite failure is.
#pragma once

#include "host/sqlite/database.h"
#include "host/store/store.h"

namespace iq {

// SQLite has no SQLSTATEs: the nearest one is chosen, for instance 23505 for a unique constraint,
// and "HY000" where there is none. constraint() is named as PostgreSQL names one by default:
// "TABLE_pkey" of a primary key, "TABLE_COLUMN_…_key" of another unique constraint; of a unique
// index on an expression it is the index's own name, of a CHECK its name or, failing that, its
// text.
StoreError ToStoreError(const sqlite::Failure& failure);

// "MESSAGE (SQLSTATE CODE)".
StoreError StatementError(const char* code, const std::string& message);

}  // namespace iq
