// The store in one SQLite file.
#pragma once

#include <memory>
#include <string>

#include "host/store/store.h"

namespace iq {

// `url` is sqlite:PATH. Throws UsageError where it is not.
std::unique_ptr<Store> OpenSqlite(const std::string& url);

}  // namespace iq
