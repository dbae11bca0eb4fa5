// Packages of npm's that a test uses, in versions that a package-lock.json of ours pins.
#pragma once

#include <filesystem>

namespace iq::test {

// Installs into `folder` what the package.json and package-lock.json of `source` name, from npm's
// cache where they are there. Fails the test when that does not succeed.
void InstallNpmPackages(const std::filesystem::path& source, const std::filesystem::path& folder);

}  // namespace iq::test
