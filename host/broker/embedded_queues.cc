#include "host/broker/embedded_queues.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "host/base/error.h"
#include "host/broker/embedded_message.h"

namespace iq::embedded {
namespace {

constexpr std::int64_t kMovesAtOnce = 500;
// When a message is tried again whose dead-letter address leads nowhere.
constexpr std::int64_t kPostponeMs = 1000;

struct Waiting {
  std::int64_t id = 0;
  std::int64_t expires_ms = 0;
};

// In order of arrival, which is that of their times, as a queue has one TTL.
std::vector<Waiting> Longest(const Queue& queue, std::int64_t max, sqlite::Database& database) {
  auto statement = database.Prepare(
      "SELECT id, expires_ms FROM iq_broker_queued WHERE queue = ?1 AND held_by = 0 "
      "ORDER BY id LIMIT ?2");
  statement.Bind(1, queue.id).Bind(2, max);
  std::vector<Waiting> waiting;
  while (statement.Step()) waiting.push_back({statement.Integer(0), statement.Integer(1)});
  return waiting;
}

// A clock that was set back must not make a message wait for longer than its time.
std::int64_t DueMs(const Waiting& waiting, const Queue& queue, std::int64_t now_ms) {
  const std::int64_t longest = std::max(queue.ttl_ms.value_or(0), kPostponeMs);
  return waiting.expires_ms > now_ms + longest ? now_ms : waiting.expires_ms;
}

std::string RoutingKeyOf(std::int64_t id, sqlite::Database& database) {
  auto statement = database.Prepare("SELECT routing_key FROM iq_broker_message WHERE id = ?1");
  return statement.Bind(1, id).Step() ? std::string(statement.Text(0)) : std::string();
}

void Enqueue(const Queue& queue, std::int64_t now_ms, sqlite::Database& database) {
  auto enqueue =
      database.Prepare("INSERT INTO iq_broker_queued VALUES (?1, 0, last_insert_rowid(), 0, ?2)");
  enqueue.Bind(1, queue.id);
  if (queue.ttl_ms) enqueue.Bind(2, now_ms + *queue.ttl_ms);
  enqueue.Run();
}

// Its place in the queue is a new one, so it gets a new id.
void AppendCopy(const Queue& queue, std::int64_t id, const Address& address, std::int64_t now_ms,
                sqlite::Database& database) {
  database
      .Prepare(
          "INSERT INTO iq_broker_message (exchange, routing_key, properties, body) "
          "SELECT ?2, ?3, properties, body FROM iq_broker_message WHERE id = ?1")
      .Bind(1, id)
      .Bind(2, address.exchange)
      .Bind(3, address.routing_key)
      .Run();
  Enqueue(queue, now_ms, database);
}

void Postpone(const Queue& queue, std::int64_t id, std::int64_t until_ms,
              sqlite::Database& database) {
  database
      .Prepare(
          "UPDATE iq_broker_queued SET expires_ms = ?3 WHERE queue = ?1 AND held_by = 0 AND id = "
          "?2")
      .Bind(1, queue.id)
      .Bind(2, id)
      .Bind(3, until_ms)
      .Run();
}

// False where it leads nowhere.
bool SendOn(const Queue& from, std::int64_t id, const Routes& routes, std::int64_t now_ms,
            sqlite::Database& database) {
  if (from.dead_letter_exchange) {
    const std::string published_as =
        from.dead_letter_routing_key ? std::string() : RoutingKeyOf(id, database);
    const Address address = DeadLetterAddress(from, published_as);
    const auto targets = routes.Match(address);
    if (!targets || targets->empty()) return false;
    for (const Queue* target : *targets) AppendCopy(*target, id, address, now_ms, database);
  }
  RemoveHeld(from.id, 0, id, database);
  return true;
}

void MoveDueOf(const Queue& queue, const Routes& routes, std::int64_t now_ms,
               sqlite::Database& database) {
  for (const Waiting& waiting : Longest(queue, kMovesAtOnce, database)) {
    if (DueMs(waiting, queue, now_ms) > now_ms) return;
    if (!SendOn(queue, waiting.id, routes, now_ms, database)) {
      Postpone(queue, waiting.id, now_ms + kPostponeMs, database);
      return;
    }
  }
}

}  // namespace

std::int64_t NowMs() {
  using std::chrono::system_clock;
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             system_clock::now().time_since_epoch())
      .count();
}

Delivery ToDelivery(Stored stored, std::uint64_t epoch, std::uint64_t tag) {
  Delivery delivery;
  delivery.epoch = epoch;
  delivery.tag = tag;
  delivery.redelivered = stored.redelivered;
  delivery.address = std::move(stored.address);
  try {
    delivery.message = PropertiesFromJson(stored.properties_json);
  } catch (const std::exception& error) {
    throw Unavailable(
        fmt::format("the properties of the message with id {} in iq_broker_message are damaged "
                    "({}); mend them, or delete its row in iq_broker_queued",
                    stored.id, error.what()));
  }
  delivery.message.body = std::move(stored.body);
  return delivery;
}

void Append(const Queue& queue, const Address& address, std::string_view properties_json,
            std::string_view body, std::int64_t now_ms, sqlite::Database& database) {
  database
      .Prepare(
          "INSERT INTO iq_broker_message (exchange, routing_key, properties, body) "
          "VALUES (?1, ?2, ?3, ?4)")
      .Bind(1, address.exchange)
      .Bind(2, address.routing_key)
      .Bind(3, properties_json)
      .BindBytes(4, body)
      .Run();
  Enqueue(queue, now_ms, database);
}

bool AnyReady(std::int64_t queue, sqlite::Database& database) {
  auto statement =
      database.Prepare("SELECT 1 FROM iq_broker_queued WHERE queue = ?1 AND held_by = 0 LIMIT 1");
  return statement.Bind(1, queue).Step();
}

std::uint64_t CountReady(std::int64_t queue, sqlite::Database& database) {
  auto statement =
      database.Prepare("SELECT count(*) FROM iq_broker_queued WHERE queue = ?1 AND held_by = 0");
  statement.Bind(1, queue).Step();
  return static_cast<std::uint64_t>(statement.Integer(0));
}

std::vector<Stored> Head(std::int64_t queue, std::size_t max, sqlite::Database& database) {
  auto statement = database.Prepare(
      "SELECT q.id, q.redelivered, m.exchange, m.routing_key, m.properties, m.body "
      "FROM iq_broker_queued q JOIN iq_broker_message m ON m.id = q.id "
      "WHERE q.queue = ?1 AND q.held_by = 0 ORDER BY q.id LIMIT ?2");
  statement.Bind(1, queue).Bind(2, static_cast<std::int64_t>(max));
  std::vector<Stored> head;
  std::size_t bytes = 0;
  while (bytes < kBytesAtOnceMax && statement.Step()) {
    Stored& stored = head.emplace_back();
    stored.id = statement.Integer(0);
    stored.redelivered = statement.Integer(1) != 0;
    stored.address = {std::string(statement.Text(2)), std::string(statement.Text(3))};
    stored.properties_json = statement.Text(4);
    stored.body = statement.Text(5);
    bytes += stored.properties_json.size() + stored.body.size();
  }
  return head;
}

void HoldUpTo(std::int64_t queue, std::int64_t last, std::int64_t holder,
              sqlite::Database& database) {
  database
      .Prepare(
          "UPDATE iq_broker_queued SET held_by = ?3 WHERE queue = ?1 AND held_by = 0 AND id <= ?2")
      .Bind(1, queue)
      .Bind(2, last)
      .Bind(3, holder)
      .Run();
}

void RemoveUpTo(std::int64_t queue, std::int64_t last, sqlite::Database& database) {
  database
      .Prepare(
          "DELETE FROM iq_broker_message WHERE id IN "
          "(SELECT id FROM iq_broker_queued WHERE queue = ?1 AND held_by = 0 AND id <= ?2)")
      .Bind(1, queue)
      .Bind(2, last)
      .Run();
  database.Prepare("DELETE FROM iq_broker_queued WHERE queue = ?1 AND held_by = 0 AND id <= ?2")
      .Bind(1, queue)
      .Bind(2, last)
      .Run();
}

std::vector<std::int64_t> HeldBy(std::int64_t holder, std::int64_t queue,
                                 sqlite::Database& database) {
  auto statement = database.Prepare(
      "SELECT id FROM iq_broker_queued WHERE queue = ?1 AND held_by = ?2 ORDER BY id");
  statement.Bind(1, queue).Bind(2, holder);
  std::vector<std::int64_t> ids;
  while (statement.Step()) ids.push_back(statement.Integer(0));
  return ids;
}

bool RemoveHeld(std::int64_t queue, std::int64_t holder, std::int64_t id,
                sqlite::Database& database) {
  const std::int64_t before = database.changes();
  database.Prepare("DELETE FROM iq_broker_queued WHERE queue = ?1 AND held_by = ?2 AND id = ?3")
      .Bind(1, queue)
      .Bind(2, holder)
      .Bind(3, id)
      .Run();
  if (database.changes() == before) return false;
  database.Prepare("DELETE FROM iq_broker_message WHERE id = ?1").Bind(1, id).Run();
  return true;
}

void GiveBack(std::int64_t queue, std::int64_t holder, std::int64_t id,
              sqlite::Database& database) {
  database
      .Prepare(
          "UPDATE iq_broker_queued SET held_by = 0, redelivered = 1 "
          "WHERE queue = ?1 AND held_by = ?2 AND id = ?3")
      .Bind(1, queue)
      .Bind(2, holder)
      .Bind(3, id)
      .Run();
}

std::optional<std::int64_t> NextDueMs(const Routes& routes, std::int64_t now_ms,
                                      sqlite::Database& database) {
  std::optional<std::int64_t> next;
  for (const Queue* queue : routes.delays()) {
    for (const Waiting& waiting : Longest(*queue, 1, database)) {
      const std::int64_t due = DueMs(waiting, *queue, now_ms);
      next = std::min(next.value_or(due), due);
    }
  }
  return next;
}

void MoveDue(const Routes& routes, std::int64_t now_ms, sqlite::Database& database) {
  for (const Queue* queue : routes.delays()) MoveDueOf(*queue, routes, now_ms, database);
}

}  // namespace iq::embedded
