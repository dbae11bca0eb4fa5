#include "host/store/sqlite.h"

#include <filesystem>
#include <string_view>
#include <utility>

#include "host/sqlite/database.h"
#include "host/store/sqlite_session.h"

namespace iq {
namespace {

// Thread-safe: nothing changes after construction.
class SqliteStore final : public Store {
 public:
  explicit SqliteStore(std::string path) : path_(std::move(path)), name_("sqlite file " + path_) {}

  std::string name() const override { return name_; }
  std::unique_ptr<Session> Open(std::chrono::milliseconds statement_max) override {
    return std::make_unique<SqliteSession>(name_, path_, statement_max);
  }
  bool takes_arrays() const override { return false; }
  std::string_view dialect() const override { return ".sqlite.sql"; }

 private:
  const std::string path_;
  const std::string name_;
};

}  // namespace

std::unique_ptr<Store> OpenSqlite(const std::string& url) {
  const std::filesystem::path path = std::filesystem::absolute(sqlite::PathOf(url));
  return std::make_unique<SqliteStore>(path.lexically_normal().string());
}

}  // namespace iq
