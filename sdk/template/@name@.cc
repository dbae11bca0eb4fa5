// `@name@`: counts how often a user was here, three times at most.
#include <cstdint>
#include <string>
#include <string_view>

#include <iq/plugin.h>

#include "@name@_schema.h"  // Made from @name@.schema.json.

namespace {

constexpr std::int64_t kTimesMax = 3;

constexpr std::string_view kCount = R"(
  INSERT INTO @name@_visits AS v (user_id, times) VALUES ($1, 1)
  ON CONFLICT (user_id) DO UPDATE SET times = v.times + 1 RETURNING times)";

struct @Name@ {
  static constexpr std::string_view kType = "@name@";
  static constexpr std::string_view kSchema = k@Name@Schema;
  // The events it may emit and the JSON Schema of their data: for those who read `iq asyncapi`.
  static constexpr std::string_view kEvents = R"({
    "@name@.counted": {
      "type": "object",
      "required": ["userId", "times"],
      "properties": {"userId": {"type": "integer"}, "times": {"type": "integer"}}
    }
  })";

  // Which locks must be held, from the message alone.
  void Plan(const iq::Command& command, iq::Plan& plan) {
    plan.Lock("user:", command.Integer("userId"));
  }

  // Runs in the command's transaction, and possibly more than once before one run is committed.
  void Handle(const iq::Command& command, iq::Context& context) {
    const std::int64_t user = command.Integer("userId");
    const std::int64_t times = context.QueryOne(kCount, user)->Integer(0);
    if (times > kTimesMax) {
      throw iq::Reject("too_often", "user " + std::to_string(user) + " was here before");
    }
    context.Emit("@name@.counted", {{"userId", user}, {"times", times}});
  }
};

}  // namespace

IQ_PLUGIN("@name@", "1.0.0", @Name@)
