// All hosts of this machine that share a flight-recorder folder, asked over their own endpoints.
#pragma once

#include <string>
#include <vector>

#include "host/admin/pulse.h"

namespace iq {

// In the order of their numbers. One that does not answer within a fraction of a second has no
// report. Throws Unavailable or std::system_error where the folder may not be looked into.
std::vector<LookedAtProcess> LookAtProcesses(const std::string& flight_recorder);

}  // namespace iq
