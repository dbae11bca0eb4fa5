// How a topology is declared in the broker's file.
#pragma once

#include <cstdint>
#include <string>

#include "host/broker/broker.h"
#include "host/sqlite/database.h"

namespace iq::embedded {

// All of it or nothing. Writes nothing where everything stands already. Throws TopologyMismatch,
// and Unavailable also where a binding names what is not there.
void Declare(const Topology& topology, sqlite::Database& database);

// In the caller's transaction. Throws Unavailable where there is no such exchange.
void Bind(const BindingSpec& binding, std::int64_t queue_id, sqlite::Database& database);

}  // namespace iq::embedded
