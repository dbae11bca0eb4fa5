// Brings its process down in the way that `details.how` names, unless the file `details.mended`
// exists. Without `how` it behaves. Each command adds 1 to the balance of `userId` first.
#include <csignal>
#include <cstdlib>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include <sys/resource.h>
#include <unistd.h>

#include <iq/plugin.h>

namespace {

constexpr std::string_view kTouch = "UPDATE balance SET sum = sum + 1 WHERE user_id = $1";

// The stack ends before `depth` does.
int Recurse(int depth) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth);
  return depth == 0 ? 0 : Recurse(depth - 1) + frame[0];
}

void Loop() {
  for (volatile bool forever = true; forever;) {
  }
}

// What the kernel does to a process that takes too much is SIGKILL; what a limit does is bad_alloc,
// here where nobody catches it.
void ExhaustMemory() noexcept {
  constexpr rlim_t kLittle = 16'000'000;
  const rlimit limit{kLittle, kLittle};
  setrlimit(RLIMIT_AS, &limit);
  while (true) static_cast<void>(*new volatile char[1'000'000]);
}

void Crash(const iq::Command& command) {
  const std::string_view how = command.FindText("details.how").value_or("");
  const auto mended = command.FindText("details.mended");
  if (mended && access(std::string(*mended).c_str(), F_OK) == 0) return;
  if (how == "null") *static_cast<volatile int*>(nullptr) = 0;
  if (how == "abort") std::abort();
  if (how == "exit") std::exit(0);  // NOLINT(concurrency-mt-unsafe): on purpose
  if (how == "kill") kill(getpid(), SIGKILL);
  if (how == "stack") Recurse(1'000'000);
  if (how == "memory") ExhaustMemory();
  if (how == "loop") Loop();
}

// In Handle alone.
struct Single {
  static constexpr std::string_view kType = "crash.single";
  static void Plan(const iq::Command& command, iq::Plan& plan) {
    plan.Lock("user:", command.Integer("userId"));
  }
  static void Handle(const iq::Command& command, iq::Context& context) {
    context.Execute(kTouch, command.Integer("userId"));
    Crash(command);
    context.Emit("crash.survived", {{"userId", command.Integer("userId")}});
  }
};

// In HandleBatch too, with others in the same call.
struct Batched : Single {
  static constexpr std::string_view kType = "crash.batched";
  static void HandleBatch(std::span<const iq::Command> commands, iq::BatchContext& batch) {
    for (const iq::Command& command : commands) {
      batch.Execute(kTouch, command.Integer("userId"));
      Crash(command);
    }
    for (std::size_t i = 0; i < commands.size(); ++i) {
      batch.Emit(i, "crash.survived", {{"userId", commands[i].Integer("userId")}});
    }
  }
};

// In Plan.
struct Planned : Single {
  static constexpr std::string_view kType = "crash.planned";
  static void Plan(const iq::Command& command, iq::Plan& plan) {
    Crash(command);
    Single::Plan(command, plan);
  }
};

}  // namespace

IQ_PLUGIN("crash", "1.2.3", Single, Batched, Planned)
