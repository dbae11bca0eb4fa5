#include "host/broker/embedded_topology.h"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "host/base/error.h"
#include "host/broker/embedded_message.h"
#include "host/broker/embedded_routes.h"
#include "host/broker/embedded_transaction.h"

namespace iq::embedded {
namespace {

using sqlite::Database;

std::optional<std::string> Found(sqlite::Statement& statement) {
  if (!statement.Step()) return std::nullopt;
  return std::string(statement.Text(0));
}

std::optional<std::string> ExchangeType(const std::string& name, Database& database) {
  auto statement = database.Prepare("SELECT type FROM iq_broker_exchange WHERE name = ?1");
  return Found(statement.Bind(1, name));
}

std::optional<std::string> QueueArguments(const std::string& name, Database& database) {
  auto statement = database.Prepare("SELECT arguments FROM iq_broker_queue WHERE name = ?1");
  return Found(statement.Bind(1, name));
}

std::int64_t QueueId(const std::string& name, Database& database) {
  auto statement = database.Prepare("SELECT id FROM iq_broker_queue WHERE name = ?1");
  if (statement.Bind(1, name).Step()) return statement.Integer(0);
  throw Unavailable(fmt::format("sqlite file {}: no queue \"{}\" to bind", database.path(), name));
}

std::string Shown(const HeaderValue::Table& arguments, const std::string& name) {
  const auto found = arguments.find(name);
  if (found == arguments.end()) return "not set";
  return TableToJson({*found});
}

// "its x-queue-type is … instead of …".
std::string Difference(const Headers& standing, const Headers& wanted) {
  std::set<std::string> names;
  for (const auto& [name, value] : standing) names.insert(name);
  for (const auto& [name, value] : wanted) names.insert(name);
  std::string text;
  for (const std::string& name : names) {
    const auto is = Shown(standing, name);
    const auto should = Shown(wanted, name);
    if (is == should) continue;
    text += fmt::format("{}{} is {} instead of {}", text.empty() ? "" : ", ", name, is, should);
  }
  return text;
}

// How to delete one of them by hand: the triggers do the rest.
std::string Deletion(const char* table, const std::string& name, const Database& database) {
  return fmt::format("sqlite3 {} \"DELETE FROM {} WHERE name = '{}'\"", database.path(), table,
                     name);
}

// Whether it stands.
bool Stands(const ExchangeSpec& exchange, Database& database) {
  const auto type = ExchangeType(exchange.name, database);
  if (!type || *type == exchange.type) return type.has_value();
  throw TopologyMismatch(
      fmt::format("exchange \"{}\" stands already, but not as a durable {} exchange (sqlite file "
                  "{}: its type is "
                  "{}); name another one in {}, or delete the exchange: {}",
                  exchange.name, exchange.type, database.path(), *type, exchange.setting,
                  Deletion("iq_broker_exchange", exchange.name, database)));
}

bool Stands(const QueueSpec& queue, Database& database) {
  const auto arguments = QueueArguments(queue.name, database);
  if (!arguments || *arguments == TableToJson(queue.arguments)) return arguments.has_value();
  const Headers standing = ReadArguments(queue.name, *arguments, database);
  throw TopologyMismatch(fmt::format(
      "queue \"{}\" stands already with other arguments (sqlite file {}: its {}); set {} to match "
      "it, or delete the queue and what is in it: {}",
      queue.name, database.path(), Difference(standing, queue.arguments), queue.setting,
      Deletion("iq_broker_queue", queue.name, database)));
}

bool Stands(const BindingSpec& binding, Database& database) {
  auto statement = database.Prepare(
      "SELECT 1 FROM iq_broker_binding b JOIN iq_broker_queue q ON q.id = b.queue "
      "WHERE b.exchange = ?1 AND b.routing_key = ?2 AND q.name = ?3");
  return statement.Bind(1, binding.exchange)
      .Bind(2, binding.routing_key)
      .Bind(3, binding.queue)
      .Step();
}

template <typename Spec>
bool AllStand(const std::vector<Spec>& specs, Database& database) {
  bool all = true;
  for (const Spec& spec : specs) all = Stands(spec, database) && all;
  return all;
}

bool AllStand(const Topology& topology, Database& database) {
  return AllStand(topology.exchanges, database) && AllStand(topology.queues, database) &&
         AllStand(topology.bindings, database);
}

void Create(const ExchangeSpec& exchange, Database& database) {
  auto insert = database.Prepare("INSERT INTO iq_broker_exchange VALUES (?1, ?2)");
  insert.Bind(1, exchange.name).Bind(2, exchange.type).Run();
}

void Create(const QueueSpec& queue, Database& database) {
  auto insert = database.Prepare("INSERT INTO iq_broker_queue (name, arguments) VALUES (?1, ?2)");
  insert.Bind(1, queue.name).Bind(2, TableToJson(queue.arguments)).Run();
}

void Create(const BindingSpec& binding, Database& database) {
  Bind(binding, QueueId(binding.queue, database), database);
}

template <typename Spec>
void CreateMissing(const std::vector<Spec>& specs, Database& database) {
  for (const Spec& spec : specs) {
    if (!Stands(spec, database)) Create(spec, database);
  }
}

}  // namespace

void Bind(const BindingSpec& binding, std::int64_t queue_id, Database& database) {
  if (!ExchangeType(binding.exchange, database)) {
    throw Unavailable(
        fmt::format("sqlite file {}: no exchange \"{}\"", database.path(), binding.exchange));
  }
  auto insert = database.Prepare("INSERT OR IGNORE INTO iq_broker_binding VALUES (?1, ?2, ?3)");
  insert.Bind(1, binding.exchange).Bind(2, binding.routing_key).Bind(3, queue_id).Run();
}

void Declare(const Topology& topology, Database& database) {
  if (AllStand(topology, database)) return;
  Transaction transaction(database);
  CreateMissing(topology.exchanges, database);
  CreateMissing(topology.queues, database);
  CreateMissing(topology.bindings, database);
  transaction.Commit();
}

}  // namespace iq::embedded
