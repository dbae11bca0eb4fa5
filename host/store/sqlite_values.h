// Parameters into SQLite, and rows out of it.
#pragma once

#include <span>

#include <iq/abi.h>

#include "host/sqlite/database.h"
#include "host/store/store.h"

namespace iq {

// Binds `args` to $1, $2, …, each of which the statement may use any number of times, in any order.
// A truth becomes 1 or 0, as SQLite has no type for it. Throws StoreError where the statement wants
// fewer or more, names a parameter otherwise, and for what SQLite cannot hold or would change:
// arrays, NaN (it would become NULL), a text that is not UTF-8 or has a NUL byte.
void BindArguments(sqlite::Statement& statement, std::span<const iq_value> args);

// Runs the statement to its end. Values are IQ_NULL, IQ_INT64, IQ_DOUBLE, IQ_TEXT or IQ_BYTES, as
// SQLite holds each of them, whatever its column's type.
Rows ReadRows(sqlite::Statement& statement);

}  // namespace iq
