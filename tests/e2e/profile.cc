#include "tests/e2e/profile.h"

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "tests/e2e/embedded_profile.h"
#include "tests/e2e/servers_profile.h"

namespace iq::test {

ProfileName ChosenProfile() {
  const char* const value = std::getenv("IQ_TEST_PROFILE");  // NOLINT(concurrency-mt-unsafe)
  const std::string_view name = value == nullptr ? "servers" : value;
  if (name == "servers") return ProfileName::kServers;
  if (name == "embedded") return ProfileName::kEmbedded;
  throw std::invalid_argument(
      fmt::format("IQ_TEST_PROFILE is \"{}\"; write servers or embedded", name));
}

std::unique_ptr<Profile> OpenProfile(ProfileName name, const std::string& directory) {
  if (name == ProfileName::kServers) return OpenServersProfile();
  return OpenEmbeddedProfile(directory);
}

std::string TestStore::Value(const std::string& sql, const Parameters& parameters) {
  std::vector<Row> rows = Rows(sql, parameters);
  if (rows.size() != 1 || rows.front().size() != 1) {
    throw DatabaseError("", "not one row with one column: " + sql);
  }
  return std::move(rows.front().front());
}

std::string SqlList(const std::vector<std::string>& texts) {
  return fmt::format("('{}')", fmt::join(texts, "','"));
}

}  // namespace iq::test
