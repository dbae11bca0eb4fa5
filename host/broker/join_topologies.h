// How two topologies become one.
#pragma once

#include "host/broker/broker.h"

namespace iq {

// What is in `more` replaces what has the same name.
Topology JoinTopologies(Topology base, const Topology& more);

}  // namespace iq
