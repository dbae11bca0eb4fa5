#include "host/migrations.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "host/base/error.h"
#include "host/store/migration_table.h"

namespace iq {
namespace {

// Rolls back at the end what was not committed.
class Transaction {
 public:
  explicit Transaction(Session& session) : session_(session) { session_.Begin(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() { session_.Rollback(); }

 private:
  Session& session_;
};

// What a statement that ends a transaction fails with, or what ended it is answered with.
constexpr std::string_view kEndsTransaction = "2D000";

// Folder and name to checksum.
using Record = std::map<std::pair<std::string, std::string>, std::string>;

Record ReadRecord(Session& session) {
  Record record;
  for (MigrationRow& row : session.migrations().Read()) {
    record.emplace(std::pair{std::move(row.folder), std::move(row.name)}, std::move(row.sha256));
  }
  return record;
}

void CheckUnchanged(const Migration& migration, const std::string& applied_sha256) {
  if (migration.sha256 == applied_sha256) return;
  throw UsageError(fmt::format(
      "{}: changed since it was applied to this database; restore it, and put the change into a "
      "new migration with the next number",
      migration.file));
}

std::vector<Migration> Subtract(std::vector<Migration> migrations, Record record,
                                const std::filesystem::path& root) {
  std::vector<Migration> pending;
  for (Migration& migration : migrations) {
    const auto applied = record.find({migration.folder, migration.name});
    if (applied == record.end()) {
      pending.push_back(std::move(migration));
      continue;
    }
    CheckUnchanged(migration, applied->second);
    record.erase(applied);
  }
  if (!record.empty()) {
    const auto& [folder, name] = record.begin()->first;
    throw UsageError(
        fmt::format("{}: was applied to this database but is gone; restore it, or run the release "
                    "of iq that has it",
                    (root / folder / (name + ".sql")).string()));
  }
  return pending;
}

[[noreturn]] void RefuseEnding(const Migration& migration) {
  throw UsageError(
      fmt::format("{}: ends the transaction that it runs in; take COMMIT and the like out of it",
                  migration.file));
}

void Run(Session& session, const Migration& migration) {
  try {
    session.RunScript(migration.sql);
    if (!session.InTransaction()) RefuseEnding(migration);
    session.migrations().Note({migration.folder, migration.name, migration.sha256});
    session.Commit();
  } catch (const StoreError& error) {
    if (error.code() == kEndsTransaction) RefuseEnding(migration);
    throw StoreError(error.kind(), error.code(), error.constraint(),
                     fmt::format("{}: {}", migration.file, error.what()));
  }
}

// Applies the first of the pending migrations. None when there is none. The record is read anew
// under the lock: another host may have been first.
std::optional<Migration> ApplyNext(Session& session, const std::filesystem::path& root,
                                   std::string_view suffix) {
  Transaction transaction(session);
  session.migrations().TakeTurn();
  std::vector<Migration> pending = Pending(session, root, suffix);
  if (pending.empty()) return std::nullopt;
  session.migrations().Create();
  Migration next = std::move(pending.front());
  Run(session, next);
  return next;
}

}  // namespace

std::vector<Migration> Pending(Session& session, const std::filesystem::path& root,
                               std::string_view suffix) {
  return Subtract(ReadMigrations(root, suffix), ReadRecord(session), root);
}

void Apply(Session& session, const std::filesystem::path& root, std::string_view suffix,
           const std::function<void(const Migration&)>& on_each) {
  while (const std::optional<Migration> applied = ApplyNext(session, root, suffix)) {
    on_each(*applied);
  }
}

}  // namespace iq
