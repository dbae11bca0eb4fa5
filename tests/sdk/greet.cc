// The plugin "greet" in C++20: greet.c tells what it does.
#include <iq/plugin.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

class Greet {
 public:
  static constexpr std::string_view kType = "test.greet";
  static constexpr std::string_view kSchema =
      R"({"required":["name"],"properties":{"name":{"type":"string","maxLength":200}}})";

  void Plan(const iq::Command& command, iq::Plan& plan) {
    const std::string name(command.Text("name"));
    if (name == "nobody") throw iq::Invalid("nobody is not greeted");
    plan.Lock("greet:" + name);
  }

  void Handle(const iq::Command& command, iq::Context& context) {
    const std::string name(command.Text("name"));
    if (name == "fault") throw std::runtime_error("a fault of the handler");
    if (context.QueryOne("SELECT name FROM greeted WHERE name = $1", name)) {
      throw iq::Reject("already_greeted", "one greeting is enough");
    }
    context.Execute("INSERT INTO greeted (name) VALUES ($1)", name);
    context.Emit("test.greeted", {{"name", std::string_view(name)}, {"greeted", ++greeted_}});
  }

 private:
  std::int64_t greeted_ = 0;  // By this handler, also in transactions that were not committed.
};

}  // namespace

IQ_PLUGIN("greet", "1.0.0", Greet)
