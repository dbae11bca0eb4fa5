// A plugin in several versions, one of which replaces another while commands come in. Each takes
// `details.ms` milliseconds, adds 1000 to the balance of `userId` and says in an event which
// version did what.
//
// SWAP_NAME, SWAP_VERSION, SWAP_TYPE   what it says of itself
// SWAP_CRASH_IN_CONSTRUCTOR            it cannot even be mapped
// SWAP_HANG_IN_CREATE                  making a handler takes for ever
// SWAP_THROW_IN_HANDLE                 every command fails
// SWAP_DIE_IN_HANDLE                   every command ends the process
// SWAP_WRONG_MAJOR                     it speaks another ABI
// SWAP_WRONG_NOTE                      its note says that it speaks another ABI
// SWAP_HIGH_MINOR                      it needs a later minor of the ABI
// SWAP_TALLY                           it notes each init and shutdown as a line in the file that
//                                      its setting `tally` names
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <unistd.h>

#include <iq/plugin.h>

#ifndef SWAP_NAME
#define SWAP_NAME "swap"
#endif
#ifndef SWAP_VERSION
#define SWAP_VERSION "1.0.0"
#endif
#ifndef SWAP_TYPE
#define SWAP_TYPE "test.swap"
#endif

namespace {

constexpr std::string_view kVersion = SWAP_VERSION;

#ifdef SWAP_CRASH_IN_CONSTRUCTOR
const struct Crash {
  Crash() { std::abort(); }
} crash;
#endif

class Swap {
 public:
  static constexpr std::string_view kType = SWAP_TYPE;

  Swap() : made_by_(kVersion) {
#ifdef SWAP_HANG_IN_CREATE
    for (;;) pause();
#endif
  }

  void Plan(const iq::Command& command, iq::Plan& plan) {
    plan.Lock("user:", command.Integer("userId"));
    planned_by_ = kVersion;
  }

  void Handle(const iq::Command& command, iq::Context& context) {
#ifdef SWAP_THROW_IN_HANDLE
    throw std::runtime_error("thrown on purpose");
#endif
#ifdef SWAP_DIE_IN_HANDLE
    std::_Exit(1);
#endif
    TakeTime(command);
    context.Execute(kCredit, command.Integer("userId"));
    context.Emit("test.swap", {{"version", kVersion},
                               {"madeBy", std::string_view(made_by_)},
                               {"plannedBy", std::string_view(planned_by_)}});
  }

  void HandleBatch(std::span<const iq::Command> commands, iq::BatchContext& batch) {
#ifdef SWAP_THROW_IN_HANDLE
    throw std::runtime_error("thrown on purpose");
#endif
#ifdef SWAP_DIE_IN_HANDLE
    std::_Exit(1);
#endif
    for (std::size_t i = 0; i < commands.size(); ++i) {
      TakeTime(commands[i]);
      batch.Execute(kCredit, commands[i].Integer("userId"));
      batch.Emit(i, "test.swap",
                 {{"version", kVersion},
                  {"madeBy", std::string_view(made_by_)},
                  {"plannedBy", std::string_view(planned_by_)}});
    }
  }

 private:
  static void TakeTime(const iq::Command& command) {
    const auto time = command.FindInteger("details.ms");
    if (time) std::this_thread::sleep_for(std::chrono::milliseconds(*time));
  }

  static constexpr std::string_view kCredit =
      "UPDATE balance SET sum = sum + 1000 WHERE user_id = $1";

  std::string made_by_;
  std::string planned_by_;
};

#ifdef SWAP_TALLY
std::string tally;

void Note(std::string_view line) { std::ofstream(tally, std::ios::app) << line << '\n'; }

iq_rc Init(const iq_host* host) {
  constexpr std::string_view kKey = "tally";
  iq_str file{};
  if (host->setting(host, {kKey.data(), kKey.size()}, &file) != IQ_OK) return IQ_E_INVALID;
  tally.assign(file.ptr, file.len);
  Note("init");
  return IQ_OK;
}

void Shutdown() { Note("shutdown"); }
#endif

consteval iq_plugin MakePlugin() {
  iq_plugin plugin = iq::detail::MakePlugin<Swap>(SWAP_NAME, SWAP_VERSION);
#ifdef SWAP_WRONG_MAJOR
  plugin.abi_major = IQ_ABI_MAJOR + 1;
#endif
#ifdef SWAP_HIGH_MINOR
  plugin.abi_minor_least = IQ_ABI_MINOR + 1;
#endif
#ifdef SWAP_TALLY
  plugin.init = &Init;
  plugin.shutdown = &Shutdown;
#endif
  return plugin;
}

constexpr iq_plugin kPlugin = MakePlugin();

#ifdef SWAP_WRONG_NOTE
consteval auto MakeNote() {
  constexpr std::size_t kBytes = iq::detail::NoteBytes<Swap>(SWAP_NAME, SWAP_VERSION);
  auto note = iq::detail::MakeNote<kBytes, Swap>(SWAP_NAME, SWAP_VERSION);
  note.head.abi_major = IQ_ABI_MAJOR + 1;
  return note;
}
IQ_MANIFEST_ATTRIBUTES constinit const auto kNote = MakeNote();
#endif

}  // namespace

const iq_plugin* iq_plugin_v1(void) { return &kPlugin; }
