#include "host/broker/embedded_schema.h"

#include <fmt/format.h>

#include "host/base/error.h"
#include "host/broker/embedded_transaction.h"

namespace iq::embedded {
namespace {

constexpr std::int64_t kVersion = 1;

// A message's place in its queue is its id, and taking it only moves its short row in
// iq_broker_queued: held_by is the number of the consumer that has it, 0 where none has. The
// triggers count every change of what routes a message, whoever makes it, and leave nothing behind
// of a queue that is deleted.
constexpr const char* kTables = R"sql(
CREATE TABLE IF NOT EXISTS iq_broker_meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  version INTEGER NOT NULL,
  topology INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS iq_broker_exchange (
  name TEXT PRIMARY KEY,
  type TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS iq_broker_queue (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  arguments TEXT NOT NULL,
  owner INTEGER
);
CREATE TABLE IF NOT EXISTS iq_broker_binding (
  exchange TEXT NOT NULL,
  routing_key TEXT NOT NULL,
  queue INTEGER NOT NULL,
  PRIMARY KEY (exchange, routing_key, queue)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS iq_broker_consumer (
  number INTEGER PRIMARY KEY,
  queue INTEGER
);
CREATE TABLE IF NOT EXISTS iq_broker_message (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  exchange TEXT NOT NULL,
  routing_key TEXT NOT NULL,
  properties TEXT NOT NULL,
  body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS iq_broker_queued (
  queue INTEGER NOT NULL,
  held_by INTEGER NOT NULL,
  id INTEGER NOT NULL,
  redelivered INTEGER NOT NULL,
  expires_ms INTEGER,
  PRIMARY KEY (queue, held_by, id)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS iq_broker_exchange_added AFTER INSERT ON iq_broker_exchange BEGIN
  UPDATE iq_broker_meta SET topology = topology + 1;
END;
CREATE TRIGGER IF NOT EXISTS iq_broker_exchange_deleted AFTER DELETE ON iq_broker_exchange BEGIN
  DELETE FROM iq_broker_binding WHERE exchange = OLD.name;
  UPDATE iq_broker_meta SET topology = topology + 1;
END;
CREATE TRIGGER IF NOT EXISTS iq_broker_queue_added AFTER INSERT ON iq_broker_queue BEGIN
  UPDATE iq_broker_meta SET topology = topology + 1;
END;
CREATE TRIGGER IF NOT EXISTS iq_broker_queue_deleted AFTER DELETE ON iq_broker_queue BEGIN
  DELETE FROM iq_broker_message
    WHERE id IN (SELECT id FROM iq_broker_queued WHERE queue = OLD.id);
  DELETE FROM iq_broker_queued WHERE queue = OLD.id;
  DELETE FROM iq_broker_binding WHERE queue = OLD.id;
  UPDATE iq_broker_meta SET topology = topology + 1;
END;
CREATE TRIGGER IF NOT EXISTS iq_broker_binding_added AFTER INSERT ON iq_broker_binding BEGIN
  UPDATE iq_broker_meta SET topology = topology + 1;
END;
CREATE TRIGGER IF NOT EXISTS iq_broker_binding_deleted AFTER DELETE ON iq_broker_binding BEGIN
  UPDATE iq_broker_meta SET topology = topology + 1;
END;
)sql";

// 0 where there are no tables.
std::int64_t Version(sqlite::Database& database) {
  {
    auto found = database.Prepare("SELECT 1 FROM sqlite_master WHERE name = 'iq_broker_meta'");
    if (!found.Step()) return 0;
  }
  auto version = database.Prepare("SELECT version FROM iq_broker_meta");
  return version.Step() ? version.Integer(0) : 0;
}

}  // namespace

void CreateTables(sqlite::Database& database) {
  std::int64_t version = Version(database);
  if (version == 0) {
    Transaction transaction(database);
    database.RunScript(kTables);
    database.Prepare("INSERT OR IGNORE INTO iq_broker_meta VALUES (1, ?1, 0)")
        .Bind(1, kVersion)
        .Run();
    version = Version(database);
    transaction.Commit();
  }
  if (version == kVersion) return;
  throw Unavailable(
      fmt::format("sqlite file {}: its queues are of version {}, and this iq knows version {}; run "
                  "the iq that made them, or a later one",
                  database.path(), version, kVersion));
}

}  // namespace iq::embedded
