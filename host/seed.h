// Users to try iq with. Who has a balance already keeps it.
#pragma once

#include <cstdint>
#include <filesystem>

#include "host/store/store.h"

namespace iq {

// Runs the seed script for the store's dialect that is in `folder`; returns how many accounts it
// opened. Throws Unavailable, UsageError where the script cannot be read, and std::runtime_error
// where it fails.
std::int64_t Seed(Store& store, const std::filesystem::path& folder);

}  // namespace iq
