// A plugin of an ABI major that no host has.
#include <iq/plugin.h>

namespace {

struct Never {
  static constexpr std::string_view kType = "test.wrong_major";
  static void Handle(const iq::Command& /*command*/, iq::Context& /*context*/) {}
};

consteval iq_plugin MakePlugin() {
  iq_plugin plugin = iq::detail::MakePlugin<Never>("wrong-major", "1.0.0");
  plugin.abi_major = IQ_ABI_MAJOR + 1;
  return plugin;
}

constexpr iq_plugin kPlugin = MakePlugin();

}  // namespace

const iq_plugin* iq_plugin_v1(void) { return &kPlugin; }
