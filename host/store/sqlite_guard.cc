#include "host/store/sqlite_guard.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <string_view>
#include <utility>

#include "host/store/sqlite_error.h"

namespace iq {
namespace {

constexpr const char* kEndsTransaction = "2D000";
constexpr const char* kNotAllowed = "42501";
// ALTER TABLE … ADD COLUMN … CHECK asks it behind the scenes; it only reads.
constexpr std::string_view kHarmlessPragma = "quick_check";

}  // namespace

StatementGuard::StatementGuard(sqlite3* handle) {
  sqlite3_set_authorizer(handle, &StatementGuard::Judge, this);
}

std::optional<StoreError> StatementGuard::TakeRefusal() { return std::exchange(refusal_, {}); }

int StatementGuard::Judge(void* self, int action, const char* first, const char* /*second*/,
                          const char* /*database*/, const char* /*trigger*/) {
  auto& guard = *static_cast<StatementGuard*>(self);
  if (guard.passes_) return SQLITE_OK;
  switch (action) {
    case SQLITE_TRANSACTION:
      return guard.Refuse(kEndsTransaction, first);
    case SQLITE_SAVEPOINT:
      return guard.Refuse(kEndsTransaction, fmt::format("{} of a savepoint", first));
    case SQLITE_ATTACH:
      return guard.Refuse(kNotAllowed, "ATTACH or VACUUM");
    case SQLITE_DETACH:
      return guard.Refuse(kNotAllowed, "DETACH");
    case SQLITE_PRAGMA:
      if (first == kHarmlessPragma) return SQLITE_OK;
      return guard.Refuse(kNotAllowed, fmt::format("PRAGMA {}", first));
    default:
      return SQLITE_OK;
  }
}

int StatementGuard::Refuse(const char* code, const std::string& what) {
  refusal_ = StatementError(code, fmt::format("{} is refused: the host alone controls the "
                                              "transaction and the connection",
                                              what));
  return SQLITE_DENY;
}

}  // namespace iq
