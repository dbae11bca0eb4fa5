// What a statement that is not the host's own may not do on an SQLite connection.
#pragma once

#include <optional>
#include <string>

#include "host/store/store.h"

struct sqlite3;

namespace iq {

// SQLite asks it about each step of a statement that it compiles, whatever way that is spelled.
// Refused are transaction control, savepoints, ATTACH, DETACH, VACUUM (which attaches) and PRAGMA.
// Not thread-safe; must live as long as the connection is used.
class StatementGuard {
 public:
  explicit StatementGuard(sqlite3* handle);
  StatementGuard(const StatementGuard&) = delete;
  StatementGuard& operator=(const StatementGuard&) = delete;

  // While it lives, everything passes. For the time that a statement runs as well: SQLite compiles
  // anew what a change of the schema made stale.
  class Pass {
   public:
    explicit Pass(StatementGuard& guard) : guard_(guard) { guard_.passes_ = true; }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass() { guard_.passes_ = false; }

   private:
    StatementGuard& guard_;
  };

  // The error for what was refused since the last call, if anything was.
  std::optional<StoreError> TakeRefusal();

 private:
  static int Judge(void* self, int action, const char* first, const char* second,
                   const char* database, const char* trigger);
  int Refuse(const char* code, const std::string& what);

  bool passes_ = false;
  std::optional<StoreError> refusal_;
};

}  // namespace iq
