// Which driver a store's URL picks.

#include "host/store/postgres.h"
#include "host/store/sqlite.h"
#include "host/store/store.h"

namespace iq {

// No word of the URL: it may hold a password.
std::unique_ptr<Store> OpenStore(const std::string& url) {
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) return OpenPostgres(url);
  if (url.starts_with("sqlite:")) return OpenSqlite(url);
  throw UsageError(
      "the store's URL (IQ_STORE_URL) is not understood: write "
      "postgresql://USER:PASSWORD@HOST:PORT/DATABASE or sqlite:PATH");
}

}  // namespace iq
