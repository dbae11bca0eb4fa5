#include "host/command_traces.h"

#include <cstddef>

namespace iq {
namespace {

// No attribute of a span is longer.
constexpr std::size_t kAttributeBytesMax = 1024;

}  // namespace

void CommandTraces::Begin(TraceContext& context) const {
  if (wanted_ && context.trace_id.empty()) context = NewTrace();
}

std::unique_ptr<CommandTrace> CommandTraces::Of(const Item& item) const {
  const Command& command = *item.command;
  auto trace = New(command.trace, command.delivery, *item.verdict, item.received_at);
  if (!trace) return nullptr;
  if (command.has_id) trace->message_id = command.id;
  trace->type = command.type.substr(0, kAttributeBytesMax);
  trace->plugin = item.plugin;
  trace->attempt = command.attempt;
  trace->repeat = item.repeat;
  trace->handle = item.ran;
  trace->commit = item.committed;
  return trace;
}

std::unique_ptr<CommandTrace> CommandTraces::Of(const Refusal& refusal, const TraceContext& context,
                                                const Verdict& verdict,
                                                Clock::time_point received_at) const {
  auto trace = New(context, refusal.delivery, verdict, received_at);
  if (!trace) return nullptr;
  trace->message_id = refusal.id.substr(0, kAttributeBytesMax);
  trace->type = refusal.type.substr(0, kAttributeBytesMax);
  trace->attempt = AttemptsBefore(refusal.delivery.message) + 1;
  return trace;
}

std::unique_ptr<CommandTrace> CommandTraces::New(const TraceContext& context,
                                                 const Delivery& delivery, const Verdict& verdict,
                                                 Clock::time_point received_at) const {
  if (!wanted_ || !context.sampled) return nullptr;
  auto trace = std::make_unique<CommandTrace>();
  trace->context = context;
  trace->queue = queue_;
  trace->correlation_id = delivery.message.correlation_id;
  trace->outcome = OutcomeName(verdict.outcome);
  trace->code = verdict.code;
  if (verdict.outcome == Outcome::kFailed) {
    const std::string& error = verdict.reason.empty() ? verdict.code : verdict.reason;
    trace->error = error.substr(0, kAttributeBytesMax);
  }
  trace->process.began = received_at;
  return trace;
}

}  // namespace iq
