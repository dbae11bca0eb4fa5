#include "iq/testkit.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <thread>

#include "host/base/log.h"
#include "host/base/temporary_directory.h"
#include "host/base/uuid.h"
#include "host/host.h"
#include "host/store/values.h"
#include "host/testkit/faulty_store.h"
#include "host/testkit/own_tables.h"
#include "host/topology.h"

namespace iq::testkit {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr auto kPatience = 30s;
constexpr auto kStep = 100ms;
constexpr auto kListenerStep = 5ms;
constexpr auto kStatementMax = 60s;

Config MakeConfig(const std::filesystem::path& directory, const Options& options) {
  Config config;
  const std::string file = (directory / "iq.db").string();
  config.broker.url = "sqlite:" + file;
  config.store.url = "sqlite:" + file;
  config.locks.url = "local:" + (directory / "iq.locks").string();
  config.locks.wait = 50ms;
  config.plugins.directory = (directory / "plugins").string();
  config.plugins.flight_recorder = (directory / "flight").string();
  config.plugins.live = (directory / "live").string();
  config.plugins.settings = options.settings;
  config.retry.attempts = options.attempts;
  config.retry.delays = {1ms};
  return config;
}

void CopyPlugins(const std::vector<std::string>& files, const std::filesystem::path& directory) {
  std::filesystem::create_directory(directory);
  // Whatever the umask: the host loads nothing that others could have written.
  std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
  for (const std::string& file : files) {
    const std::filesystem::path from(file);
    std::filesystem::copy_file(from, directory / from.filename());
  }
}

StoreError::Kind KindOf(SqlFault fault) {
  switch (fault) {
    case SqlFault::kConflict:
      return StoreError::Kind::kConflict;
    case SqlFault::kDuplicate:
      return StoreError::Kind::kDuplicate;
    case SqlFault::kError:
      break;
  }
  return StoreError::Kind::kStatement;
}

std::optional<std::string> TextOf(const iq_value& value) {
  switch (value.type) {
    case IQ_NULL:
      return std::nullopt;
    case IQ_BOOL:
    case IQ_INT64:
      return std::to_string(value.u.i64);
    case IQ_DOUBLE:
      return fmt::format("{}", value.u.f64);
    default:
      return std::string(value.u.s.ptr, value.u.s.len);
  }
}

std::string TextIn(const json& object, const char* member) {
  const json& value = object.at(member);
  return value.is_string() ? value.get<std::string>() : std::string();
}

Event EventIn(const json& body) {
  return {body.at("event"), body.at("id"), body.at("data").dump()};
}

Outcome OutcomeIn(const std::string& reply) {
  const json body = json::parse(reply);
  Outcome outcome{TextIn(body, "outcome"), TextIn(body, "code"), TextIn(body, "reason"), {}};
  for (const json& event : body.at("events")) outcome.events.push_back(EventIn(event));
  return outcome;
}

}  // namespace

struct Host::State {
  explicit State(Options options)
      : config(MakeConfig(directory.path(), options)),
        broker(OpenBroker(config.broker.url, "iq testkit")),
        store(OpenStore(config.store.url)),
        session(store->Open(kStatementMax)),
        lock_service(OpenLocks(config.locks.url, config.locks.lease)),
        locks(lock_service->Open()),
        time([this] {
          const std::int64_t set = set_time_us;
          if (set == 0) return std::chrono::system_clock::now();
          return std::chrono::system_clock::time_point(std::chrono::microseconds(set));
        }) {
    CopyPlugins(options.plugins, config.plugins.directory);
    session->RunScript(kOwnTables);
    for (const std::string& script : options.schema) session->RunScript(script);
    Drivers drivers = Drivers::Open(config);
    drivers.store = MakeFaulty(std::move(drivers.store), faults);
    host = std::make_unique<iq::Host>(config, std::move(drivers), time);
    host->Start(stop);
    publisher = broker->OpenPublisher();
    replies = broker->OpenReplyQueue();
    events = broker->Subscribe(config.events.exchange, "#");
  }

  void Publish(std::string_view body, const std::string& id);
  std::map<std::string, Outcome> Await(const std::set<std::string>& ids) const;

  TemporaryDirectory directory{"testkit"};
  Config config;
  SqlFaults faults;
  std::atomic<std::int64_t> set_time_us{0};  // 0: the real time.
  std::atomic<bool> stop{false};
  std::unique_ptr<Broker> broker;
  std::unique_ptr<Store> store;
  std::unique_ptr<Session> session;
  std::unique_ptr<LockService> lock_service;
  std::unique_ptr<Locks> locks;
  WallClock time;
  std::unique_ptr<Publisher> publisher;
  Broker::ReplyQueue replies;
  std::unique_ptr<Consumer> events;
  std::vector<Event> events_seen;
  std::unique_ptr<iq::Host> host;
  std::string last_body;
  std::string last_id;
};

void Host::State::Publish(std::string_view body, const std::string& id) {
  Message message;
  message.body = body;
  message.message_id = id;
  message.correlation_id = id;
  message.reply_to = replies.name;
  const ConsumerConfig& consumer = config.consumers[0];
  publisher->Publish({consumer.exchange, ""}, std::move(message), Publisher::Routing::kRequired);
  last_body = body;
  last_id = id;
}

// The outcomes of the commands just published, by id. A late answer to an earlier one is dropped.
std::map<std::string, Outcome> Host::State::Await(const std::set<std::string>& ids) const {
  std::map<std::string, Outcome> outcomes;
  const auto deadline = Clock::now() + kPatience;
  while (outcomes.size() < ids.size()) {
    if (Clock::now() > deadline) {
      throw std::runtime_error(
          "a command has no outcome after 30 s; the host's log on stderr may say why");
    }
    publisher->Collect(0ms);
    for (const Delivery& reply : replies.consumer->Receive(ids.size(), kStep)) {
      const std::string& id = reply.message.correlation_id;
      if (ids.contains(id)) outcomes[id] = OutcomeIn(reply.message.body);
    }
  }
  return outcomes;
}

Host::Host(Options options) : state_(std::make_unique<State>(std::move(options))) {}

Host::~Host() = default;

Outcome Host::Send(std::string_view body, std::string_view id) {
  const std::string own_id = id.empty() ? RandomUuid() : std::string(id);
  state_->Publish(body, own_id);
  return state_->Await({own_id}).at(own_id);
}

std::vector<Outcome> Host::SendTogether(const std::vector<std::string>& bodies) {
  std::vector<std::string> ids;
  ids.reserve(bodies.size());
  for (const std::string& body : bodies) {
    ids.push_back(RandomUuid());
    state_->Publish(body, ids.back());
  }
  const std::map<std::string, Outcome> by_id = state_->Await({ids.begin(), ids.end()});
  std::vector<Outcome> outcomes;
  outcomes.reserve(ids.size());
  for (const std::string& id : ids) outcomes.push_back(by_id.at(id));
  return outcomes;
}

Outcome Host::Redeliver() {
  if (state_->last_id.empty()) throw std::runtime_error("nothing was sent that could come again");
  return Send(std::string(state_->last_body), std::string(state_->last_id));
}

// The events of a command are in the listeners' queues before its outcome is told. What a listener
// holds, or has put off, counts as well.
void Host::AwaitListeners() {
  const std::string prefix = ListenerQueue(state_->config, "");
  const auto length = static_cast<std::int64_t>(prefix.size());
  const std::array arguments = {TextValue(prefix), Int64Value(length)};
  const auto deadline = Clock::now() + kPatience;
  for (;;) {
    const iq::Rows waiting = state_->session->Query(
        "SELECT 1 FROM iq_broker_queued JOIN iq_broker_queue ON queue = iq_broker_queue.id "
        "WHERE substr(name, 1, $2) = $1 LIMIT 1",
        arguments);
    if (waiting.size() == 0) return;
    if (Clock::now() > deadline) {
      throw std::runtime_error(
          "a listener has not had its events after 30 s; the host's log on stderr may say why");
    }
    std::this_thread::sleep_for(kListenerStep);
  }
}

void Host::Sql(std::string_view script) { state_->session->RunScript(script); }

Rows Host::Query(std::string_view sql) {
  const iq::Rows found = state_->session->Query(sql, {});
  Rows rows(found.size());
  for (std::size_t row = 0; row < found.size(); ++row) {
    for (std::size_t column = 0; column < found.columns; ++column) {
      rows[row].push_back(TextOf(found.At(row, column)));
    }
  }
  return rows;
}

std::vector<Event> Host::Events() {
  constexpr std::size_t kAtATime = 1000;
  for (;;) {
    const auto deliveries = state_->events->Receive(kAtATime, 0ms);
    for (const Delivery& delivery : deliveries) {
      state_->events_seen.push_back(EventIn(json::parse(delivery.message.body)));
    }
    if (deliveries.empty()) return state_->events_seen;
  }
}

void Host::SetTime(std::chrono::system_clock::time_point now) {
  state_->set_time_us =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
}

void Host::HoldLock(const std::string& key) {
  const std::vector<LockKeys> sets = {{key}};
  if (!state_->locks->TryAcquire(sets)[0]) {
    throw std::runtime_error(fmt::format("the lock {} is taken", key));
  }
}

void Host::ReleaseLocks() { state_->locks->Release(); }

void Host::FailSql(std::string text, SqlFault fault, int times) {
  state_->faults.Add(std::move(text), KindOf(fault), times);
}

}  // namespace iq::testkit
