// A plugin that claims a type which another one serves already.
#include <iq/plugin.h>

namespace {

struct OtherIncome {
  static constexpr std::string_view kType = "income";
  static void Handle(const iq::Command& /*command*/, iq::Context& context) {
    context.Emit("test.duplicate_income", "{}");
  }
};

}  // namespace

IQ_PLUGIN("duplicate-income", "1.0.0", OtherIncome)
