// iq doctor: looks whether everything that `iq run` needs is there. Changes nothing.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <memory>
#include <set>

#include "host/base/error.h"
#include "host/base/uuid.h"
#include "host/cli/sql_folder.h"
#include "host/cli/subscription.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/locks/locks.h"
#include "host/migrations.h"
#include "host/plugin_directory.h"
#include "host/topology.h"

namespace iq::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kStatementMax = 5s;
constexpr auto kConfirmMax = 3s;
constexpr auto kConfirmStep = 100ms;
constexpr const char* kStartServer = "start the server, or correct its URL";
constexpr const char* kStartRun = "start `iq run`";
constexpr const char* kDeclare = "start `iq run`, which declares it";

std::string MendOf(const Unavailable& error) {
  return error.mend() == Unavailable::Mend::kSaid ? "" : kStartServer;
}

// What was found, in order.
class Findings {
 public:
  void Ok(const std::string& check, const std::string& detail) { Add("ok", check, detail, {}); }
  void Warn(const std::string& check, const std::string& detail, const std::string& mend) {
    Add("warn", check, detail, mend);
  }
  void Fail(const std::string& check, const std::string& detail, const std::string& mend) {
    failed_ = true;
    Add("fail", check, detail, mend);
  }

  bool failed() const { return failed_; }

  void Show(bool json) const { Print(json ? for_programs_.JsonLines() : for_people_.Text()); }

 private:
  void Add(const char* status, const std::string& check, const std::string& detail,
           const std::string& mend) {
    const bool mends = !mend.empty();
    for_programs_.Add({std::string(status), check, detail, mends ? Cell(mend) : Cell()});
    for_people_.Add({std::string(status), check, mends ? detail + "; " + mend : detail});
  }

  Table for_programs_{{"status", "check", "detail", "mend"}};
  Table for_people_{{"status", "check", "detail"}};
  bool failed_ = false;
};

void CheckPlugins(const PluginsConfig& config, Findings& findings) {
  try {
    const PluginDirectory directory(config);
    for (const auto& plugin : directory.plugins()) {
      findings.Ok(fmt::format("plugin {}", plugin->label()), plugin->file());
    }
    for (const std::string& refusal : directory.refused()) {
      findings.Fail("plugin", refusal, "replace the file, or take it away");
    }
    if (directory.routes()->empty()) {
      findings.Fail("plugins", fmt::format("no plugin in {} can serve", config.directory),
                    "build the plugins, or correct plugins.directory");
    }
  } catch (const UsageError& error) {
    findings.Fail("plugins", error.what(), {});
  }
}

void CheckDurability(const ServerFacts& facts, Findings& findings) {
  for (const auto& [name, value, mend] : facts.durability) {
    if (mend.empty()) {
      findings.Ok(name, value);
    } else {
      findings.Fail(name, fmt::format("{}: a power cut may undo what was acknowledged", value),
                    mend);
    }
  }
}

void CheckSchema(Session& session, const Store& store, const std::filesystem::path& folder,
                 Findings& findings) {
  std::vector<std::string> names;
  for (const Migration& migration : Pending(session, folder, store.dialect())) {
    names.push_back(migration.folder + '/' + migration.name);
  }
  if (names.empty()) {
    findings.Ok("schema", "up to date");
  } else {
    findings.Fail("schema", fmt::format("pending: {}", fmt::join(names, ", ")), "run `iq migrate`");
  }
}

void CheckStore(const Config& config, const std::filesystem::path& folder, Findings& findings) {
  const auto store = OpenStore(config.store.url);
  const auto session = store->Open(kStatementMax);
  try {
    const ServerFacts facts = session->Facts();
    findings.Ok("store", fmt::format("{}, version {}", store->name(), facts.version));
    CheckDurability(facts, findings);
    CheckSchema(*session, *store, folder, findings);
  } catch (const Unavailable& error) {
    findings.Fail("store", error.what(), MendOf(error));
  } catch (const StoreError& error) {
    findings.Fail("store", fmt::format("{}: {}", store->name(), error.what()),
                  "grant the user of store.url what it needs");
  } catch (const UsageError& error) {
    findings.Fail("schema", error.what(), "name the folder of the SQL files with --sql DIR");
  }
}

void CheckExchange(Broker& broker, const std::string& exchange, Findings& findings) {
  const std::string check = fmt::format("exchange {}", exchange);
  if (const auto fault = ExchangeFault(broker, exchange)) {
    findings.Warn(check, *fault, kDeclare);
  } else {
    findings.Ok(check, "declared");
  }
}

// What stands in the way of `iq run` declaring a queue that is there; empty when nothing does. To
// declare a queue as it stands changes nothing.
std::string DeclarationFault(Broker& broker, const Config& config, const std::string& queue) {
  Topology only;
  for (QueueSpec& spec : MakeTopology(config).queues) {
    if (spec.name == queue) only.queues.push_back(std::move(spec));
  }
  try {
    broker.Declare(only);
    return {};
  } catch (const TopologyMismatch& mismatch) {
    return mismatch.what();
  }
}

void CheckConsumed(Broker& broker, const Config& config, const std::string& queue,
                   Findings& findings) {
  const std::string check = fmt::format("queue {}", queue);
  const auto state = broker.Inspect(queue);
  if (!state) {
    findings.Warn(check, "not declared: what is sent to it is lost", kDeclare);
    return;
  }
  if (const std::string fault = DeclarationFault(broker, config, queue); !fault.empty()) {
    findings.Fail(check, fault, {});
    return;
  }
  const std::string detail = fmt::format("ready {}, consumers {}", state->ready, state->consumers);
  if (state->consumers == 0) {
    findings.Warn(check, detail, kStartRun);
  } else {
    findings.Ok(check, detail);
  }
}

void CheckDelay(Broker& broker, const std::string& queue, Findings& findings) {
  const std::string check = fmt::format("queue {}", queue);
  if (const auto state = broker.Inspect(queue)) {
    findings.Ok(check, fmt::format("ready {}", state->ready));
  } else {
    findings.Warn(check, "not declared", kDeclare);
  }
}

// A broker with an alarm says so once somebody publishes. No queue is bound to what this goes to.
void CheckPublishing(Broker& broker, Findings& findings) {
  const auto publisher = broker.OpenPublisher();
  publisher->Publish({"", "iq:doctor:" + RandomUuid()}, {}, Publisher::Routing::kOptional);
  const auto deadline = std::chrono::steady_clock::now() + kConfirmMax;
  while (publisher->unconfirmed() != 0 && std::chrono::steady_clock::now() < deadline) {
    publisher->Collect(kConfirmStep);
  }
  if (publisher->blocked()) {
    findings.Fail("publishing", "the broker takes no messages: a memory or disk alarm",
                  "make room on the broker: `rabbitmq-diagnostics alarms` says where");
  } else if (publisher->unconfirmed() != 0) {
    findings.Fail("publishing",
                  fmt::format("no confirm within {} s", std::chrono::seconds(kConfirmMax).count()),
                  "look at the broker's log");
  } else {
    findings.Ok("publishing", "confirmed");
  }
}

void CheckDead(Broker& broker, const std::string& queue, Findings& findings) {
  const std::string check = fmt::format("queue {}", queue);
  const auto state = broker.Inspect(queue);
  if (!state) {
    findings.Warn(check, "not declared", kDeclare);
  } else if (state->ready > 0) {
    findings.Warn(check, fmt::format("ready {}", state->ready), "see `iq dead list`");
  } else {
    findings.Ok(check, "empty");
  }
}

void CheckBroker(const Config& config, Findings& findings) {
  const auto broker = OpenBroker(config.broker.url, "iq doctor");
  try {
    broker->Inspect(config.dead_letter.queue);
    findings.Ok("broker", broker->name());
    std::set<std::string> exchanges{config.events.exchange};
    for (const ConsumerConfig& consumer : config.consumers) exchanges.insert(consumer.exchange);
    for (const std::string& exchange : exchanges) CheckExchange(*broker, exchange, findings);
    for (const ConsumerConfig& consumer : config.consumers) {
      CheckConsumed(*broker, config, consumer.queue, findings);
      for (const auto delay : config.retry.delays) {
        CheckDelay(*broker, DelayQueue(consumer.queue, delay), findings);
      }
    }
    CheckDead(*broker, config.dead_letter.queue, findings);
    CheckPublishing(*broker, findings);
  } catch (const Unavailable& error) {
    findings.Fail("broker", error.what(), MendOf(error));
  }
}

void CheckLocks(const LocksConfig& config, Findings& findings) {
  const auto service = OpenLocks(config.url, config.lease);
  const auto locks = service->Open();
  try {
    const std::array sets{LockKeys{"iq:doctor:" + RandomUuid()}};
    const bool taken = locks->TryAcquire(sets)[0];
    locks->Release();
    if (taken) {
      findings.Ok("locks", service->name());
    } else {
      findings.Fail("locks", fmt::format("{}: a new key was taken already", service->name()),
                    "look at the server");
    }
  } catch (const Unavailable& error) {
    findings.Fail("locks", error.what(), MendOf(error));
  }
}

int Examine(const Config& config, const std::filesystem::path& sql_folder,
            const Invocation& invocation) {
  RequireUrls(config);
  Findings findings;
  findings.Ok("config", invocation.config_path);
  CheckPlugins(config.plugins, findings);
  CheckStore(config, sql_folder, findings);
  CheckBroker(config, findings);
  CheckLocks(config.locks, findings);
  findings.Show(invocation.json);
  return findings.failed() ? kFailed : kDone;
}

}  // namespace

void AddDoctor(CLI::App& app, Invocation& invocation) {
  CLI::App* verb = AddVerb(app, invocation, "doctor",
                           "Check the configuration, the plugins and the servers", Rows::kYes);
  const auto sql_directory = std::make_shared<std::string>();
  AddSqlOption(*verb, *sql_directory);
  verb->callback([&invocation, sql_directory] {
    invocation.work = [&invocation, sql_directory] {
      return Examine(invocation.LoadQuietly(), SqlFolder(*sql_directory, invocation.config_path),
                     invocation);
    };
  });
}

}  // namespace iq::cli
