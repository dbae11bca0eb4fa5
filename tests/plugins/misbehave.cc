// One command type for each way in which a handler can go wrong. Each adds 1 to the balance of
// `userId` first, so that a test can see whether that was undone.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <iq/plugin.h>

namespace {

constexpr std::string_view kTouch = "UPDATE balance SET sum = sum + 1 WHERE user_id = $1";
// A balance is never negative.
constexpr std::string_view kBad = "UPDATE balance SET sum = -1 WHERE user_id = $1 RETURNING sum";

class Touching {
 public:
  static void Plan(const iq::Command& command, iq::Plan& plan) {
    plan.Lock("user:", command.Integer("userId"));
  }

 protected:
  static void Touch(const iq::Command& command, iq::Context& context) {
    context.Execute(kTouch, command.Integer("userId"));
  }
};

struct Throw : Touching {
  static constexpr std::string_view kType = "test.throw";
  static void Handle(const iq::Command& command, iq::Context& context) {
    Touch(command, context);
    throw std::runtime_error("thrown on purpose");
  }
};

// With `details.how` = "query" the failure shows at once, otherwise in the pipeline.
struct SqlError : Touching {
  static constexpr std::string_view kType = "test.sql_error";
  static void Handle(const iq::Command& command, iq::Context& context) {
    Touch(command, context);
    if (command.FindText("details.how") == "query") {
      (void)context.Query(kBad, command.Integer("userId"));
    } else {
      context.Execute(kBad, command.Integer("userId"));
    }
  }
};

struct WriteThenReject : Touching {
  static constexpr std::string_view kType = "test.write_then_reject";
  static void Handle(const iq::Command& command, iq::Context& context) {
    Touch(command, context);
    context.Emit("test.write_then_reject", {{"userId", command.Integer("userId")}});
    throw iq::Reject("test_refused", "refused on purpose, after a write");
  }
};

// Succeeds on the attempt after `details.times`.
struct RetryTimes : Touching {
  static constexpr std::string_view kType = "test.retry";
  static void Handle(const iq::Command& command, iq::Context& context) {
    Touch(command, context);
    if (command.attempt() <= command.Integer("details.times")) {
      throw iq::Retry("test_again", "not yet");
    }
    context.Emit("test.retry", {{"attempt", command.attempt()}});
  }
};

// Takes `details.ms` milliseconds, and asks the database something now and then.
struct Slow : Touching {
  static constexpr std::string_view kType = "test.slow";
  static void Handle(const iq::Command& command, iq::Context& context) {
    using Clock = std::chrono::steady_clock;
    constexpr Clock::duration kStep = std::chrono::milliseconds(20);
    const auto end = Clock::now() + std::chrono::milliseconds(command.Integer("details.ms"));
    Touch(command, context);
    context.Log(iq::LogLevel::kInfo, "test.slow runs");
    for (auto left = end - Clock::now(); left.count() > 0; left = end - Clock::now()) {
      (void)context.Query("SELECT 1");
      std::this_thread::sleep_for(std::min(left, kStep));
    }
    context.Emit("test.slow", {{"userId", command.Integer("userId")}});
  }
};

// Runs a statement that takes hours.
struct Endless : Touching {
  static constexpr std::string_view kType = "test.endless";
  static void Handle(const iq::Command& command, iq::Context& context) {
    Touch(command, context);
    (void)context.Query(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) "
        "SELECT count(*) FROM n");
  }
};

// Tries a statement that a handler must not run: `details.sql`, or else COMMIT.
struct Begin : Touching {
  static constexpr std::string_view kType = "test.begin";
  static void Handle(const iq::Command& command, iq::Context& context) {
    Touch(command, context);
    context.Execute(command.FindText("details.sql").value_or("COMMIT"));
  }
};

// A statement fails, and it goes on as if nothing had happened.
struct Swallow : Touching {
  static constexpr std::string_view kType = "test.swallow";
  static void Handle(const iq::Command& command, iq::Context& context) {
    Touch(command, context);
    try {
      (void)context.Query(kBad, command.Integer("userId"));
    } catch (const iq::HostCallFailed&) {
    }
  }
};

struct Echo : Touching {
  static constexpr std::string_view kType = "test.echo";
  static void Handle(const iq::Command& command, iq::Context& context) {
    Touch(command, context);
    context.Emit("test.echo", {{"id", command.id()},
                               {"correlationId", command.correlation_id()},
                               {"traceparent", command.traceparent()},
                               {"attempt", command.attempt()},
                               {"attemptsMax", command.attempts_max()},
                               {"body", iq::RawJson{command.body()}}});
  }
};

// Emits `details.data`, or else half a document.
struct EmitBad : Touching {
  static constexpr std::string_view kType = "test.emit_bad";
  static void Handle(const iq::Command& command, iq::Context& context) {
    Touch(command, context);
    context.Emit(command.FindText("details.name").value_or("test.emit_bad"),
                 command.FindText("details.data").value_or(R"({"half":)"));
  }
};

struct Crash : Touching {
  static constexpr std::string_view kType = "test.crash";
  static void Handle(const iq::Command& command, iq::Context& context) {
    Touch(command, context);
    std::abort();
  }
};

// Returns a number that is no outcome, which plugin.h never does.
iq_outcome HandleNonsense(void* handler, const iq_command* command, iq_context* context) {
  constexpr iq_outcome kNonsense = 12345;
  const iq_outcome outcome = iq::detail::HandleCommand<Echo>(handler, command, context);
  return outcome == IQ_DONE ? kNonsense : outcome;
}

consteval iq_command_type MakeNonsense() {
  iq_command_type type = iq::detail::MakeCommandType<Echo>();
  type.type = iq::detail::Literal("test.nonsense");
  type.handle = &HandleNonsense;
  return type;
}

constexpr iq_command_type kNonsenseType = MakeNonsense();

template <typename... Hs>
constexpr std::array<const iq_command_type*, sizeof...(Hs) + 1> kTypes{
    &iq::detail::kCommandType<Hs>..., &kNonsenseType};

consteval iq_plugin MakePlugin() {
  iq_plugin plugin = iq::detail::MakePlugin<Throw>("misbehave", "1.0.0");
  const auto& types = kTypes<Throw, SqlError, WriteThenReject, RetryTimes, Slow, Endless, Begin,
                             Swallow, Echo, EmitBad, Crash>;
  plugin.commands = types.data();
  plugin.command_count = static_cast<std::uint32_t>(types.size());
  return plugin;
}

constexpr iq_plugin kPlugin = MakePlugin();

}  // namespace

const iq_plugin* iq_plugin_v1(void) { return &kPlugin; }
