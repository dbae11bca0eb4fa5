// A plugin that `iq plugin check` finds nothing wrong with, and what each definition makes wrong:
//   SLIPSHOD_NOTE     says another name in its manifest
//   SLIPSHOD_EVENTS   declares its events as what they are not
//   SLIPSHOD_EXAMPLE  has an example that its own schema refuses
//   SLIPSHOD_THROW    throws where there is no name
//   SLIPSHOD_CRASH    dies of a very long name
//   SLIPSHOD_PLAN     plans from a counter
//   SLIPSHOD_THREAD   leaves a thread behind
//   SLIPSHOD_SHARED   keeps whom it greets in one place for all handlers
//   SLIPSHOD_LEAK     forgets memory
//   SLIPSHOD_FILE     forgets a file
//   SLIPSHOD_SLOW     sleeps while it plans
#include <fcntl.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <iq/plugin.h>

namespace {

#ifdef SLIPSHOD_EXAMPLE
#define SLIPSHOD_EXAMPLES R"([{"name": 7}])"
#else
#define SLIPSHOD_EXAMPLES R"([{"name": "Ada"}, {"name": "Grace", "loud": true}])"
#endif

#ifdef SLIPSHOD_SHARED
std::atomic<const std::string*> greeted;
#endif

class Slipshod {
 public:
  static constexpr std::string_view kType = "test.slipshod";
  static constexpr std::string_view kSchema =
      R"({"required": ["name"], "properties": {"name": {"type": "string"}}, "examples": )" SLIPSHOD_EXAMPLES
      "}";
#ifdef SLIPSHOD_EVENTS
  static constexpr std::string_view kEvents = R"(["test.slipshod"])";
#endif

  void Plan(const iq::Command& command, iq::Plan& plan) {
#ifdef SLIPSHOD_PLAN
    plan.Lock("name:", ++plans_);
#endif
#ifdef SLIPSHOD_SLOW
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
#endif
    constexpr std::size_t kKeyBytesMax = 200;
    const std::string name(command.Text("name").substr(0, kKeyBytesMax));
    if (!name.empty()) plan.Lock("name:" + name);
  }

  void Handle(const iq::Command& command, iq::Context& context) {
    const std::string name(command.Text("name"));
#ifdef SLIPSHOD_THROW
    if (name.empty()) throw std::runtime_error("there is nobody to greet");
#endif
#ifdef SLIPSHOD_CRASH
    constexpr std::size_t kCrashBytes = 50'000;
    if (name.size() > kCrashBytes) std::abort();
#endif
#ifdef SLIPSHOD_THREAD
    [[maybe_unused]] static const bool kStarted = [] {
      std::thread([] {
        for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
      }).detach();
      return true;
    }();
#endif
#ifdef SLIPSHOD_SHARED
    greeted = &name;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    if (greeted != &name) std::abort();
#endif
#ifdef SLIPSHOD_LEAK
    (void)std::make_unique<std::string>(64, 'x').release();
#endif
#ifdef SLIPSHOD_FILE
    (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
#endif
    context.Emit("test.slipshod", {{"name", name}});
  }

 private:
  [[maybe_unused]] int plans_ = 0;
};

}  // namespace

#ifdef SLIPSHOD_NOTE
IQ_MANIFEST_ATTRIBUTES constinit const auto kNote =
    iq::detail::MakeNote<iq::detail::NoteBytes<Slipshod>("another", "1.0.0"), Slipshod>("another",
                                                                                        "1.0.0");
IQ_EXPORT const iq_plugin* iq_plugin_v1(void) {
  static constexpr iq_plugin kPlugin = iq::detail::MakePlugin<Slipshod>("slipshod", "1.0.0");
  return &kPlugin;
}
#else
IQ_PLUGIN("slipshod", "1.0.0", Slipshod)
#endif
