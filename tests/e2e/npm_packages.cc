#include "tests/e2e/npm_packages.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/process.h"

namespace iq::test {

namespace fs = std::filesystem;

void InstallNpmPackages(const fs::path& source, const fs::path& folder) {
  fs::create_directories(folder);
  for (const char* file : {"package.json", "package-lock.json"}) {
    fs::copy_file(source / file, folder / file, fs::copy_options::overwrite_existing);
  }
  ProcessOptions options;
  options.directory = folder;
  Process npm({"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"}, options);
  ASSERT_EQ(npm.Wait(std::chrono::minutes(12)), ExitStatus{.code = 0});
}

}  // namespace iq::test
