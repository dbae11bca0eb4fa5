// The profile of RabbitMQ, PostgreSQL and Redis.
#pragma once

#include <memory>

#include "tests/e2e/profile.h"

namespace iq::test {

// Of TestServers(), which are started by the first call.
std::unique_ptr<Profile> OpenServersProfile();

}  // namespace iq::test
