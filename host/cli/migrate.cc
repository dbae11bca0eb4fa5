// iq migrate: brings the database's schema up to date.
#include "host/migrations.h"

#include <memory>

#include "host/cli/sql_folder.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

// An index on a large table takes its time.
constexpr std::chrono::hours kMigrationMax{24};

struct MigrateOptions {
  std::string sql_directory;
  bool dry_run = false;
};

Record Row(const Migration& migration, bool applied) {
  return {{"migration", migration.folder + '/' + migration.name},
          {"status", std::string(applied ? "applied" : "pending")}};
}

int Migrate(const Config& config, const Invocation& invocation, const MigrateOptions& options) {
  RequireUrls(config);
  const auto store = OpenStore(config.store.url);
  const auto session = store->Open(kMigrationMax);
  const auto folder = SqlFolder(options.sql_directory, invocation.config_path);
  bool any = false;
  const auto report = [&](const Migration& migration) {
    any = true;
    const Record row = Row(migration, !options.dry_run);
    if (invocation.json) {
      Print(RecordJson(row));
    } else {
      Print(std::get<std::string>(row[1].second) + ' ' + std::get<std::string>(row[0].second) +
            '\n');
    }
  };
  if (options.dry_run) {
    for (const Migration& migration : Pending(*session, folder, store->dialect()))
      report(migration);
  } else {
    Apply(*session, folder, store->dialect(), report);
  }
  if (!any && !invocation.json) Print("nothing to do\n");
  return kDone;
}

}  // namespace

void AddMigrate(CLI::App& app, Invocation& invocation) {
  CLI::App* verb =
      AddVerb(app, invocation, "migrate", "Bring the database's schema up to date", Rows::kYes);
  const auto options = std::make_shared<MigrateOptions>();
  AddSqlOption(*verb, options->sql_directory);
  verb->add_flag("--dry-run", options->dry_run, "Only say what would be applied");
  verb->callback([&invocation, options] {
    invocation.work = [&invocation, options] {
      return Migrate(invocation.LoadQuietly(), invocation, *options);
    };
  });
}

}  // namespace iq::cli
