// A plugin that says things and hears them, and what may happen to one who listens.
//
//   {"type":"test.say","userId":7,"details":{"how":…,"mended":…}}   emits test.said
//   listener ears, test.said            adds 1 to the balance of that user, then does what `how`
//   says
//                                       unless the file `mended` exists; emits test.heard
//   listener purse, LISTEN_PATTERN      adds 1 to the balance of user 999 for each
//
// LISTEN_VERSION                        what it says of itself
// LISTEN_CRASH_IN_CREATE                making the ears ends the process
#define IQ_USE_MINOR 1
#include <iq/plugin.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include <unistd.h>

#ifndef LISTEN_VERSION
#define LISTEN_VERSION "1.0.0"
#endif
#ifndef LISTEN_PATTERN
#define LISTEN_PATTERN "balance.income"
#endif

namespace {

constexpr std::string_view kTouch = "UPDATE balance SET sum = sum + 1 WHERE user_id = $1";

struct Say {
  static constexpr std::string_view kType = "test.say";
  static void Handle(const iq::Command& command, iq::Context& context) {
    context.Emit("test.said", {{"userId", command.Integer("userId")},
                               {"how", command.FindText("details.how").value_or("")},
                               {"mended", command.FindText("details.mended").value_or("")}});
  }
};

struct Ears {
  static constexpr std::string_view kName = "ears";
  static constexpr std::string_view kPattern = "test.said";

#ifdef LISTEN_CRASH_IN_CREATE
  Ears() { std::abort(); }
#endif

  static void Plan(const iq::Event& event, iq::Plan& plan) {
    plan.Lock("ears:", event.Integer("data.userId"));
  }

  static void OnEvent(const iq::Event& event, iq::Context& context) {
    context.Execute(kTouch, event.Integer("data.userId"));
    const std::string mended(event.Text("data.mended"));
    if (mended.empty() || access(mended.c_str(), F_OK) != 0) Fail(event.Text("data.how"));
    context.Emit("test.heard", {{"of", event.command_id()}});
  }

  static void Fail(std::string_view how) {
    if (how == "reject") throw iq::Reject("not_heard", "on purpose");
    if (how == "throw") throw std::runtime_error("thrown on purpose");
    if (how == "kill") kill(getpid(), SIGKILL);
  }
};

struct Purse {
  static constexpr std::string_view kName = "purse";
  static constexpr std::string_view kPattern = LISTEN_PATTERN;

  static void OnEvent(const iq::Event& /*event*/, iq::Context& context) {
    context.Execute(kTouch, std::int64_t{999});
  }
};

}  // namespace

IQ_PLUGIN("listen", LISTEN_VERSION, Say, Ears, Purse)
