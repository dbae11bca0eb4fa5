// Brings a database's schema up to date: which migrations it has seen, and that each is applied
// once, wholly or not at all, however many hosts start at the same time.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "host/migration_files.h"
#include "host/store/store.h"

namespace iq {

// What Apply would apply, in that order; changes nothing. `root` and `suffix` as for
// ReadMigrations. Throws UsageError where the files contradict each other or what was applied
// before, Unavailable and StoreError.
std::vector<Migration> Pending(Session& session, const std::filesystem::path& root,
                               std::string_view suffix);

// Applies what is pending, each migration in a transaction together with its row in the record,
// and calls `on_each` after each commit. Throws as Pending does; a migration's own error is a
// StoreError that names the file, and leaves that migration and those after it pending.
void Apply(Session& session, const std::filesystem::path& root, std::string_view suffix,
           const std::function<void(const Migration&)>& on_each);

}  // namespace iq
