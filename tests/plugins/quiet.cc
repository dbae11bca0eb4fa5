// A handler that has nothing to say: test.quiet adds 1 to the balance of `userId`, and emits
// nothing.
#include <string_view>

#include <iq/plugin.h>

namespace {

struct Quiet {
  static constexpr std::string_view kType = "test.quiet";

  static void Plan(const iq::Command& command, iq::Plan& plan) {
    plan.Lock("user:", command.Integer("userId"));
  }

  static void Handle(const iq::Command& command, iq::Context& context) {
    context.Execute("UPDATE balance SET sum = sum + 1 WHERE user_id = $1",
                    command.Integer("userId"));
  }
};

}  // namespace

IQ_PLUGIN("quiet", "1.0.0", Quiet)
