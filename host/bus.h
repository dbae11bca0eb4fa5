// From a command's type to its handler, from an event to its listener, and from what either did to
// an outcome.
//
// Nothing else calls a plugin for a command, and nothing else turns a handler's failure into an
// outcome.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/command.h"
#include "host/flight_recorder.h"
#include "host/outcome.h"
#include "host/plugin_directory.h"
#include "host/schema.h"
#include "host/services.h"
#include "host/store/store.h"
#include "host/trace/interval.h"

namespace iq {

// What one run of a handler came to. Nothing is committed yet.
struct Handled {
  Verdict verdict;
  bool wrote = false;     // The transaction may hold changes of this command.
  bool conflict = false;  // Another transaction was in the way: worth another run at once.
  Interval ran{};         // The handler, with its batch where it took one.
};

// A type's handler of one generation of its plugin, in one worker. Made and used on the worker's
// thread, where it must also end.
class Seat {
 public:
  explicit Seat(Route route) : route_(std::move(route)) {}
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  ~Seat();

  // Makes the handler unless it is made. Throws PluginRefused when the plugin cannot make it now.
  void Create();
  bool created() const { return created_; }

  const Plugin& plugin() const { return *route_.plugin; }
  const iq_command_type& type() const { return *route_.type; }
  const std::string& pattern() const { return route_.pattern; }
  const std::optional<Schema>& schema() const { return schema_; }
  void* handler() const { return handler_; }
  // Whether the handler takes several commands at a time, and even such as share a key.
  bool takes_batches() const { return type().handle_batch != nullptr; }
  bool batch_shares_keys() const {
    return takes_batches() && (type().flags & IQ_BATCH_SHARES_KEYS) != 0;
  }

 private:
  Route route_;
  std::optional<Schema> schema_;
  void* handler_ = nullptr;
  bool created_ = false;
};

// Not thread-safe: one per worker, with seats of its own, made on first use. Follows the
// directory's routes when it is told to: commands admitted before keep the seat they have.
class Bus {
 public:
  // `slot`: where calls into plugins are noted; without it they are not. `listener`: the one whose
  // events this bus carries; empty for one that carries commands.
  Bus(const PluginDirectory& directory, const LimitsConfig& limits,
      WallClock clock = std::chrono::system_clock::now, FlightSlot* slot = nullptr,
      std::string listener = {});

  // From now on commands are admitted as the directory says at this moment.
  void FollowRoutes();

  // Finds the seat (command.seat), checks the schema and asks for the lock keys (command.keys). A
  // verdict when the command cannot be run.
  std::optional<Verdict> Admit(Command& command);

  // "name/version" of the plugin that the command was admitted to; empty when there is none.
  static std::string PluginLabel(const Command& command);
  // What metrics call it: its type, or the listener's name; empty where no plugin has it.
  static std::string MetricLabel(const Command& command);

  // Runs the handler in the session's transaction. Throws Unavailable.
  Handled Handle(const Command& command, Session& session);

  // Runs commands of one seat at a time. Their keys are pairwise disjoint, unless the seat has
  // batch_shares_keys(). Empty when they must be run one by one, in a new transaction. Throws
  // Unavailable.
  std::optional<std::vector<Handled>> HandleBatch(std::span<const Command* const> commands,
                                                  Session& session);

  // A statement's failure, wherever it showed, as the command's outcome.
  static Handled Judge(const StoreError& error);

 private:
  std::shared_ptr<Seat> Find(const Command& command);
  Verdict NoSeat(const Command& command) const;
  const std::map<std::string, Route, std::less<>>& RoutesHere() const {
    return listener_.empty() ? routes_->types : routes_->listeners;
  }

  const PluginDirectory& directory_;
  LimitsConfig limits_;
  WallClock clock_;
  FlightSlot* slot_;
  std::string listener_;
  std::shared_ptr<const Routes> routes_;
  std::map<std::string, std::shared_ptr<Seat>, std::less<>> seats_;
};

// The id of a command's event, the same each time it is published.
std::string EventId(const std::string& command_uuid, std::size_t index);

// The events of a verdict, with their ids, from what was emitted as name and data.
Event MakeEvent(const Command& command, std::size_t index, const std::string& name,
                const std::string& data, const std::string& occurred_at);

// The event that says that the command was refused.
Event MakeRejectedEvent(const Command& command, const Verdict& verdict);

}  // namespace iq
