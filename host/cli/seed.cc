// iq seed: users to try iq with.
#include "host/seed.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "host/cli/sql_folder.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

int SeedStore(const Config& config, const std::filesystem::path& folder, bool json) {
  RequireUrls(config);
  const auto store = OpenStore(config.store.url);
  const std::int64_t opened = Seed(*store, folder);
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
      return SeedStore(invocation.LoadQuietly(), SqlFolder(*sql_directory, invocation.config_path),
                       invocation.json);
    };
  });
}

}  // namespace iq::cli
