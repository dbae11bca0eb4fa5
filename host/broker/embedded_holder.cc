#include "host/broker/embedded_holder.h"

#include <random>

#include "host/broker/embedded_queues.h"
#include "host/broker/embedded_transaction.h"

namespace iq::embedded {
namespace {

constexpr std::int64_t kNumberMax = std::int64_t{1} << 62;

std::int64_t NewNumber(sqlite::Database& database) {
  std::random_device random;
  const std::int64_t number = std::uniform_int_distribution<std::int64_t>(1, kNumberMax)(random);
  database.Prepare("INSERT INTO iq_broker_consumer (number) VALUES (?1)").Bind(1, number).Run();
  return number;
}

void Remove(std::int64_t number, sqlite::Database& database) {
  database.Prepare("DELETE FROM iq_broker_consumer WHERE number = ?1").Bind(1, number).Run();
}

}  // namespace

std::string LockPath(const sqlite::Database& database) { return database.file() + "-consumers"; }

// The byte is held before anybody can see the number.
Holder::Holder(sqlite::Database& database) : locks_(LockPath(database)) {
  Transaction transaction(database);
  for (;;) {
    number_ = NewNumber(database);
    if (locks_.TryLock(static_cast<std::uint64_t>(number_))) break;
    Remove(number_, database);
  }
  transaction.Commit();
}

bool Holder::KnownTo(sqlite::Database& database) const {
  auto statement = database.Prepare("SELECT 1 FROM iq_broker_consumer WHERE number = ?1");
  return statement.Bind(1, number_).Step();
}

void NoteQueue(std::int64_t holder, std::optional<std::int64_t> queue, sqlite::Database& database) {
  auto statement = database.Prepare("UPDATE iq_broker_consumer SET queue = ?2 WHERE number = ?1");
  statement.Bind(1, holder);
  if (queue) statement.Bind(2, *queue);
  statement.Run();
}

std::vector<std::int64_t> DeadHolders(const LockFile& locks, std::int64_t own,
                                      sqlite::Database& database) {
  std::vector<std::int64_t> dead;
  auto statement = database.Prepare("SELECT number FROM iq_broker_consumer WHERE number <> ?1");
  statement.Bind(1, own);
  while (statement.Step()) {
    const std::int64_t number = statement.Integer(0);
    if (!locks.HeldByOther(static_cast<std::uint64_t>(number))) dead.push_back(number);
  }
  // Asked at the end: a number that was seen, and whose byte is in another file, is older than
  // this.
  if (!locks.InPlace()) dead.clear();
  return dead;
}

std::uint64_t CountConsumers(std::int64_t queue, const LockFile& locks,
                             sqlite::Database& database) {
  std::uint64_t count = 0;
  auto statement = database.Prepare("SELECT number FROM iq_broker_consumer WHERE queue = ?1");
  statement.Bind(1, queue);
  while (statement.Step()) {
    if (locks.HeldByOther(static_cast<std::uint64_t>(statement.Integer(0)))) ++count;
  }
  return count;
}

void Bury(std::int64_t holder, sqlite::Database& database) {
  database
      .Prepare(
          "UPDATE iq_broker_queued SET held_by = 0, redelivered = 1 "
          "WHERE held_by = ?1 AND queue IN (SELECT id FROM iq_broker_queue)")
      .Bind(1, holder)
      .Run();
  database.Prepare("DELETE FROM iq_broker_queue WHERE owner = ?1").Bind(1, holder).Run();
  Remove(holder, database);
}

void TidyUp(const LockFile& locks, std::int64_t own, Routes& routes, sqlite::Database& database) {
  const auto dead = DeadHolders(locks, own, database);
  if (!dead.empty()) {
    Transaction transaction(database);
    for (const std::int64_t holder : dead) Bury(holder, database);
    transaction.Commit();
  }
  for (;;) {
    const std::int64_t now = NowMs();
    routes.Refresh(database);
    const auto due = NextDueMs(routes, now, database);
    if (!due || *due > now) return;
    Transaction transaction(database);
    routes.Refresh(database);
    MoveDue(routes, now, database);
    transaction.Commit();
  }
}

}  // namespace iq::embedded
