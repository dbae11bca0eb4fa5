// iq seed: users to try iq with. Who has a balance already keeps it.
#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>

#include "host/base/error.h"
#include "host/cli/sql_folder.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/store/store.h"

namespace iq::cli {
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

// The script for the store's dialect: a file with its suffix stands in for the ".sql" beside it.
std::filesystem::path ScriptOf(const Store& store, const std::filesystem::path& folder) {
  const std::filesystem::path own = folder / ("seed" + std::string(store.dialect()));
  return std::filesystem::exists(own) ? own : folder / "seed.sql";
}

int Seed(const Config& config, const std::filesystem::path& folder, bool json) {
  RequireUrls(config);
  const auto store = OpenStore(config.store.url);
  const std::string script = ReadScript(ScriptOf(*store, folder));
  const auto session = store->Open(kStatementMax);
  std::int64_t opened = 0;
  try {
    opened = static_cast<std::int64_t>(session->RunScript(script));
  } catch (const StoreError& error) {
    throw std::runtime_error(
        fmt::format("{}: {}; run `iq migrate` first", store->name(), error.what()));
  }
  Print(json ? RecordJson({{"opened", opened}})
             : fmt::format("opened accounts for {} users\n", opened));
  return kDone;
}

}  // namespace

void AddSeed(CLI::App& app, Invocation& invocation) {
  CLI::App* verb = AddVerb(app, invocation, "seed", "Open accounts to try iq with", Rows::kYes);
  const auto sql_directory = std::make_shared<std::string>();
  AddSqlOption(*verb, *sql_directory);
  verb->callback([&invocation, sql_directory] {
    invocation.work = [&invocation, sql_directory] {
      return Seed(invocation.LoadQuietly(), SqlFolder(*sql_directory, invocation.config_path),
                  invocation.json);
    };
  });
}

}  // namespace iq::cli
