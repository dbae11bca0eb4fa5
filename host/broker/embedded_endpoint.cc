#include "host/broker/embedded_endpoint.h"

#include <sqlite3.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "host/broker/embedded_schema.h"
#include "host/broker/embedded_topology.h"
#include "host/broker/join_topologies.h"

namespace iq::embedded {

Endpoint::Endpoint(const std::string& path)
    : path_(std::filesystem::absolute(path).lexically_normal().string()),
      name_("sqlite file " + path) {}

std::unique_ptr<sqlite::Database> Endpoint::Connect(Sync sync) const {
  CheckNotAway();
  auto database = std::make_unique<sqlite::Database>(path_, sync);
  CreateTables(*database);
  const std::lock_guard lock(mutex_);
  file_ = database->file();
  return database;
}

// What is committed may be in the log. Where that is gone as well, somebody wants a new file.
void Endpoint::CheckNotAway() const {
  const std::lock_guard lock(mutex_);
  const std::string log = file_ + "-wal";
  std::error_code ignored;
  if (file_.empty() || std::filesystem::exists(file_, ignored)) return;
  if (!std::filesystem::exists(log, ignored)) return;
  throw Unavailable(
      fmt::format("{}: it is missing but its {} is there: put it back where it was", name_, log));
}

std::unique_ptr<sqlite::Database> Endpoint::ConnectAndDeclare(Sync sync) const {
  auto database = Connect(sync);
  Restore(*database);
  return database;
}

void Endpoint::Restore(sqlite::Database& database) const {
  const auto topology = [this] {
    const std::lock_guard lock(mutex_);
    return topology_;
  }();
  embedded::Declare(topology, database);
}

void Endpoint::Declare(const Topology& topology) {
  const auto remember = [&] {
    const std::lock_guard lock(mutex_);
    topology_ = JoinTopologies(std::move(topology_), topology);
  };
  try {
    Attempt([&] { embedded::Declare(topology, *Connect(Sync::kEveryCommit)); });
  } catch (const Unavailable&) {
    remember();
    throw;
  }
  remember();
}

void Endpoint::CheckInPlace(const sqlite::Database& database) const {
  if (!database.Moved()) return;
  throw Gone(fmt::format(
      "{}: it was moved, removed or replaced while it was in use; put it back where it was",
      name_));
}

std::string Endpoint::ReasonOf(const sqlite::Failure& failure) const {
  const bool no_memory = (failure.code() & 0xff) == SQLITE_NOMEM;
  return fmt::format(
      "{}: {}; {}", name_, failure.what(),
      no_memory ? "give this process more memory" : "its tables are not as this iq knows them");
}

std::string Endpoint::ReasonOf(const Unavailable& error) const {
  std::string text = error.what();
  for (const std::string& prefix : {"sqlite file " + path_ + ": ", name_ + ": "}) {
    if (text.starts_with(prefix)) return text.substr(prefix.size());
  }
  return text;
}

}  // namespace iq::embedded
