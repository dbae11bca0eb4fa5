// The broker's tables.
#pragma once

#include "host/sqlite/database.h"

namespace iq::embedded {

// Creates them where they are missing. Throws Unavailable, also when a later release made them.
void CreateTables(sqlite::Database& database);

}  // namespace iq::embedded
