// The profile of one SQLite file: iq as it runs when nothing is configured.
#pragma once

#include <memory>
#include <string>

#include "tests/e2e/profile.h"

namespace iq::test {

// The file is var/iq.db below `directory`.
std::unique_ptr<Profile> OpenEmbeddedProfile(const std::string& directory);

}  // namespace iq::test
