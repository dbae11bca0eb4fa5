#include "host/seed.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <system_error>

#include "host/base/error.h"

namespace iq {
namespace {

constexpr std::chrono::minutes kStatementMax{5};

std::string ReadScript(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file && errno == 0) return text;
  throw UsageError(fmt::format("{}: cannot be read: {}; name the folder with --sql DIR",
                               path.string(), std::generic_category().message(errno)));
}

// A file with the dialect's suffix stands in for the ".sql" beside it.
std::filesystem::path ScriptOf(const Store& store, const std::filesystem::path& folder) {
  const std::filesystem::path own = folder / ("seed" + std::string(store.dialect()));
  return std::filesystem::exists(own) ? own : folder / "seed.sql";
}

}  // namespace

std::int64_t Seed(Store& store, const std::filesystem::path& folder) {
  const std::string script = ReadScript(ScriptOf(store, folder));
  const auto session = store.Open(kStatementMax);
  try {
    return static_cast<std::int64_t>(session->RunScript(script));
  } catch (const StoreError& error) {
    throw std::runtime_error(
        fmt::format("{}: {}; run `iq migrate` first", store.name(), error.what()));
  }
}

}  // namespace iq
