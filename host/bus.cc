#include "host/bus.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/base/json_text.h"
#include "host/base/log.h"
#include "host/base/utf8.h"
#include "host/base/uuid.h"
#include "host/broker/topic_pattern.h"
#include "host/metrics.h"
#include "host/services.h"

namespace iq {
namespace {

constexpr const char* kHandlerError = "handler_error";

constexpr int HundredOf(iq_outcome outcome) { return outcome < 0 ? -1 : outcome / 100; }

Verdict HandlerError(std::string reason) {
  return Verdict::Of(Outcome::kFailed, kHandlerError, std::move(reason));
}

// The handler kept a failed statement to itself, or reported it in its own words: what the session
// said decides. Throws Unavailable.
std::optional<Handled> JudgeFailure(const iq_context& context) {
  if (context.failure != nullptr) {
    try {
      std::rethrow_exception(context.failure);
    } catch (const StoreError& error) {
      return Bus::Judge(error);
    }
  }
  if (context.late || std::chrono::steady_clock::now() > context.deadline) {
    return Handled{
        Verdict::Of(Outcome::kFailed, "deadline", "the handler ran past limits.deadline")};
  }
  if (!context.refusal.empty()) return Handled{HandlerError(context.refusal)};
  if (!context.session.InTransaction()) {
    return Handled{HandlerError("the handler left the transaction broken")};
  }
  return std::nullopt;
}

Verdict JudgeReturn(iq_outcome returned, const iq_context& context) {
  switch (HundredOf(returned)) {
    case HundredOf(IQ_DONE): {
      Verdict verdict;
      for (const iq_context::Emitted& event : context.events) {
        verdict.events.push_back(MakeEvent(context.command, verdict.events.size(), event.name,
                                           event.data, event.occurred_at));
      }
      return verdict;
    }
    case HundredOf(IQ_REJECT): {
      Verdict verdict = Verdict::Of(
          Outcome::kRejected, context.code.empty() ? "rejected" : context.code, context.reason);
      // An event of an event that was refused would come to the same listener again.
      if (context.command.listener.empty()) {
        verdict.events.push_back(MakeRejectedEvent(context.command, verdict));
      }
      return verdict;
    }
    case HundredOf(IQ_RETRY):
      return Verdict::Of(Outcome::kRetry, context.code.empty() ? "retry" : context.code,
                         context.reason.empty() ? "the handler asked for it" : context.reason);
    case HundredOf(IQ_FATAL):
    case HundredOf(IQ_INVALID):
      return HandlerError(context.reason.empty()
                              ? fmt::format("the handler failed with {}", returned)
                              : context.reason);
    default:
      return HandlerError(fmt::format("the handler returned {}, which is no outcome", returned));
  }
}

// The ABI lets no exception through; a plugin that breaks it costs its command, not the host.
template <typename Call>
iq_outcome Contain(Call call, std::string* reason) {
  try {
    return call();
  } catch (const std::exception& error) {
    *reason = fmt::format("an exception crossed the plugin's boundary: {}", error.what());
  } catch (...) {
    *reason = "an exception crossed the plugin's boundary";
  }
  return IQ_FATAL;
}

// Into the plugin, with a note of `commands` in case there is no way back.
template <typename Call>
iq_outcome Enter(const NotedCall& /*note*/, Call call, std::string* reason) {
  return Contain(call, reason);
}

// A handler's statements end with its time, and nobody else's do.
class SessionDeadline {
 public:
  SessionDeadline(Session& session, std::chrono::steady_clock::time_point deadline)
      : session_(session) {
    session_.SetDeadline(deadline);
  }
  SessionDeadline(const SessionDeadline&) = delete;
  SessionDeadline& operator=(const SessionDeadline&) = delete;
  ~SessionDeadline() { session_.SetDeadline(std::chrono::steady_clock::time_point::max()); }

 private:
  Session& session_;
};

// `data` is the text of a JSON object. The members are in the order in which nlohmann writes them:
// an event that is read back from the journal must be the same to the byte.
Event FinishEvent(const Command& command, std::string id, const std::string& name,
                  const std::string& data, const std::string& occurred_at) {
  std::string body =
      fmt::format(R"({{"commandId":{},"data":{},"event":{},"id":"{}","occurredAt":"{}"}})",
                  JsonString(ValidUtf8(command.id)), data, JsonString(name), id, occurred_at);
  return {std::move(id), name, occurred_at, std::move(body)};
}

std::string EventIdOf(const Command& command, std::size_t index) {
  return EventId(command.uuid, command.first_event_index + index);
}

// The queue is still bound with a pattern that the listener had before.
bool IsForAnother(const Command& event, const Seat& seat) {
  return !event.listener.empty() && !TopicMatches(seat.pattern(), event.type);
}

Verdict NothingToDo() {
  Verdict verdict;
  verdict.final = true;
  return verdict;
}

}  // namespace

std::string EventId(const std::string& command_uuid, std::size_t index) {
  return NameUuid(command_uuid, std::to_string(index));
}

Event MakeEvent(const Command& command, std::size_t index, const std::string& name,
                const std::string& data, const std::string& occurred_at) {
  return FinishEvent(command, EventIdOf(command, index), name, data, occurred_at);
}

Event MakeRejectedEvent(const Command& command, const Verdict& verdict) {
  return FinishEvent(
      command, EventIdOf(command, 0), "command.rejected",
      JsonText(nlohmann::json{
          {"type", command.type}, {"code", verdict.code}, {"reason", verdict.reason}}),
      Rfc3339Now());
}

Seat::~Seat() {
  if (!created_ || type().destroy == nullptr) return;
  std::string reason;
  Contain(
      [&] {
        type().destroy(handler_);
        return IQ_OK;
      },
      &reason);
  if (!reason.empty()) log::Error(fmt::format("a handler was destroyed: {}", reason));
}

// After a failure the next command tries again.
void Seat::Create() {
  if (created_) return;
  if (!schema_ && type().schema.len != 0) {
    schema_.emplace(std::string_view(type().schema.ptr, type().schema.len));
  }
  if (type().create != nullptr) {
    std::string reason;
    const iq_rc rc = Contain([&] { return type().create(plugin().host(), &handler_); }, &reason);
    if (rc != IQ_OK) {
      throw PluginRefused(
          fmt::format("{}: it could not make a handler ({}) {}", plugin().file(), rc, reason));
    }
  }
  created_ = true;
}

Bus::Bus(const PluginDirectory& directory, const LimitsConfig& limits, WallClock clock,
         FlightSlot* slot, std::string listener)
    : directory_(directory),
      limits_(limits),
      clock_(std::move(clock)),
      slot_(slot),
      listener_(std::move(listener)),
      routes_(directory.routes()) {}

void Bus::FollowRoutes() {
  std::shared_ptr<const Routes> routes = directory_.routes();
  if (routes == routes_) return;
  routes_ = std::move(routes);
  std::erase_if(seats_, [this](const auto& seat) {
    const auto route = RoutesHere().find(seat.first);
    return route == RoutesHere().end() || route->second.plugin.get() != &seat.second->plugin();
  });
}

std::shared_ptr<Seat> Bus::Find(const Command& command) {
  const std::string& name = listener_.empty() ? command.type : listener_;
  const auto seat = seats_.find(name);
  if (seat != seats_.end()) return seat->second;
  const auto route = RoutesHere().find(name);
  if (route == RoutesHere().end()) return nullptr;
  return seats_.emplace(name, std::make_shared<Seat>(route->second)).first->second;
}

Verdict Bus::NoSeat(const Command& command) const {
  constexpr const char* kUnknownType = "unknown_type";
  if (!listener_.empty()) {
    return Verdict::Of(Outcome::kRetry, kUnknownType,
                       fmt::format("no plugin has the listener \"{}\" any more", listener_));
  }
  if (routes_->gone.contains(command.type)) {
    return Verdict::Of(Outcome::kRetry, kUnknownType,
                       fmt::format("no plugin serves the type \"{}\" any more", command.type));
  }
  return Verdict::Of(Outcome::kInvalid, kUnknownType,
                     fmt::format("no plugin serves the type \"{}\"", command.type));
}

std::optional<Verdict> Bus::Admit(Command& command) {
  command.seat = Find(command);
  if (command.seat == nullptr) return NoSeat(command);
  Seat& seat = *command.seat;
  if (IsForAnother(command, seat)) return NothingToDo();
  const Command* const noted[] = {&command};
  try {
    if (!seat.created()) {
      const NotedCall note(slot_, PluginCall::kCreate, seat.plugin(), noted);
      seat.Create();
    }
  } catch (const PluginRefused& refusal) {
    return HandlerError(refusal.what());
  }
  if (seat.schema()) {
    if (auto fault = seat.schema()->Fault(command.payload.root())) {
      return Verdict::Of(Outcome::kInvalid, "schema", std::move(*fault));
    }
  }
  if (seat.type().plan == nullptr) return std::nullopt;
  iq_plan plan;
  const iq_command view = command.View();
  const iq_outcome returned = Enter(
      NotedCall(slot_, PluginCall::kPlan, seat.plugin(), noted),
      [&] { return seat.type().plan(seat.handler(), &view, &plan); }, &plan.reason);
  if (HundredOf(returned) == HundredOf(IQ_INVALID)) {
    return Verdict::Of(Outcome::kInvalid, plan.code.empty() ? "schema" : std::move(plan.code),
                       std::move(plan.reason));
  }
  if (HundredOf(returned) != HundredOf(IQ_OK)) {
    return HandlerError(
        fmt::format("the handler could not plan its locks ({}) {}", returned, plan.reason));
  }
  command.keys = std::move(plan.keys);
  std::sort(command.keys.begin(), command.keys.end());
  return std::nullopt;
}

std::string Bus::PluginLabel(const Command& command) {
  return command.seat == nullptr ? std::string() : command.seat->plugin().label();
}

std::string Bus::MetricLabel(const Command& command) {
  if (command.seat == nullptr) return {};
  return command.listener.empty() ? command.type : command.listener;
}

Handled Bus::Handle(const Command& command, Session& session) {
  const Seat& seat = *command.seat;
  const auto deadline = std::chrono::steady_clock::now() + limits_.deadline;
  const SessionDeadline bounded(session, deadline);
  iq_context context(session, command, seat.plugin().name(), deadline, clock_);
  const std::uint64_t writes_before = session.writes();
  const iq_command view = command.View();
  const Command* const noted[] = {&command};
  const auto began = std::chrono::steady_clock::now();
  const iq_outcome returned = Enter(
      NotedCall(slot_, PluginCall::kHandle, seat.plugin(), noted),
      [&] { return seat.type().handle(seat.handler(), &view, &context); }, &context.reason);
  const auto ended = std::chrono::steady_clock::now();
  Metrics::OfThisProcess().ObserveHandler(MetricLabel(command), Metrics::Entry::kOne,
                                          ended - began);
  Handled handled;
  if (auto failure = JudgeFailure(context)) {
    handled = std::move(*failure);
  } else {
    handled.verdict = JudgeReturn(returned, context);
  }
  handled.wrote = session.writes() != writes_before;
  handled.ran = {began, ended};
  return handled;
}

std::optional<std::vector<Handled>> Bus::HandleBatch(std::span<const Command* const> commands,
                                                     Session& session) {
  const Seat& seat = *commands.front()->seat;
  const auto deadline = std::chrono::steady_clock::now() + limits_.deadline;
  const SessionDeadline bounded(session, deadline);
  std::vector<iq_context> contexts;
  contexts.reserve(commands.size());  // Their addresses are the plugin's.
  std::vector<iq_command> views;
  views.reserve(commands.size());
  for (const Command* command : commands) {
    contexts.emplace_back(session, *command, seat.plugin().name(), deadline, clock_);
    views.push_back(command->View());
  }
  std::vector<const iq_command*> view_pointers;
  std::vector<iq_context*> context_pointers;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    view_pointers.push_back(&views[i]);
    context_pointers.push_back(&contexts[i]);
  }
  std::vector<iq_outcome> outcomes(commands.size(), IQ_DONE);
  std::string reason;
  const auto began = std::chrono::steady_clock::now();
  const iq_outcome returned = Enter(
      NotedCall(slot_, PluginCall::kHandleBatch, seat.plugin(), commands),
      [&] {
        return seat.type().handle_batch(seat.handler(), view_pointers.data(),
                                        context_pointers.data(), outcomes.data(),
                                        static_cast<uint32_t>(commands.size()));
      },
      &reason);
  const auto ended = std::chrono::steady_clock::now();
  Metrics::OfThisProcess().ObserveHandler(MetricLabel(*commands.front()), Metrics::Entry::kBatch,
                                          ended - began);
  bool good = HundredOf(returned) == HundredOf(IQ_DONE);
  for (const iq_context& context : contexts) good = !JudgeFailure(context) && good;
  if (!good) return std::nullopt;

  std::vector<Handled> handled(commands.size());
  for (std::size_t i = 0; i < commands.size(); ++i) {
    handled[i].verdict = JudgeReturn(outcomes[i], contexts[i]);
    handled[i].ran = {began, ended};
    const Outcome outcome = handled[i].verdict.outcome;
    if (outcome != Outcome::kDone && outcome != Outcome::kRejected) return std::nullopt;
  }
  return handled;
}

Handled Bus::Judge(const StoreError& error) {
  switch (error.kind()) {
    case StoreError::Kind::kConflict:
      return {Verdict::Of(Outcome::kRetry, "sql_error", error.what()), true, true};
    case StoreError::Kind::kDeadline:
      return {Verdict::Of(Outcome::kFailed, "deadline", error.what()), true};
    case StoreError::Kind::kDuplicate:
    case StoreError::Kind::kStatement:
      break;
  }
  return {Verdict::Of(Outcome::kFailed, "sql_error", error.what()), true};
}

}  // namespace iq
