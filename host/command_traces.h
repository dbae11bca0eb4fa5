// What a worker writes into the traces of its commands.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "host/batch.h"
#include "host/broker/broker.h"
#include "host/command.h"
#include "host/outcome.h"
#include "host/trace/command_trace.h"
#include "host/trace/trace_context.h"

namespace iq {

// Not thread-safe: one per worker.
class CommandTraces {
 public:
  using Clock = std::chrono::steady_clock;

  // `wanted`: whether anybody takes spans. `queue` is where the commands come from.
  CommandTraces(bool wanted, std::string queue) : wanted_(wanted), queue_(std::move(queue)) {}

  // Where spans are wanted, what came without a trace begins one.
  void Begin(TraceContext& context) const;

  // Of a command that has its verdict, or of what was no command; complete but for what is known
  // when it is settled. Null unless somebody wants its spans.
  std::unique_ptr<CommandTrace> Of(const Item& item) const;
  std::unique_ptr<CommandTrace> Of(const Refusal& refusal, const TraceContext& context,
                                   const Verdict& verdict, Clock::time_point received_at) const;

 private:
  std::unique_ptr<CommandTrace> New(const TraceContext& context, const Delivery& delivery,
                                    const Verdict& verdict, Clock::time_point received_at) const;

  const bool wanted_;
  const std::string queue_;
};

}  // namespace iq
