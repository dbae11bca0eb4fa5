// Which URLs name a PostgreSQL server, and what it is called in messages.
#pragma once

#include <memory>
#include <string>

#include "host/store/store.h"

namespace iq {

// `url` begins with postgresql:// or postgres://. Throws UsageError where the rest is not
// understood.
std::unique_ptr<Store> OpenPostgres(const std::string& url);

}  // namespace iq
