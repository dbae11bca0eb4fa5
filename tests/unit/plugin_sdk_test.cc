// The C++ face of the ABI, driven through the tables as a host drives it, against a core that only
// records.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <iq/plugin.h>

#include "fake_host.h"

extern "C" int abi_c99_has_time_left(const iq_core* core);

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace iq_test;  // NOLINT(google-build-using-namespace)

// ---- the plugin under test ------------------------------------------------------------------

// Throws what the field `how` says, in Plan, Handle and HandleBatch alike.
void ThrowAsTold(const iq::Command& command) {
  const std::string_view how = command.FindText("how").value_or("");
  if (how == "reject") throw iq::Reject("no_way", "not like this");
  if (how == "retry") throw iq::Retry("not_yet", "come again");
  if (how == "invalid") throw iq::Invalid("sum must be above zero");
  if (how == "bad_alloc") throw std::bad_alloc();
  if (how == "exception") throw std::runtime_error("what it says");
  if (how == "other") throw 7;
}

struct Thrower {
  static constexpr std::string_view kType = "thrower";
  static constexpr bool kBatchSharesKeys = true;
  static constexpr std::string_view kSchema = R"({"type": "object"})";
  static constexpr std::string_view kEvents = R"({"thrown": {}})";
  static void Plan(const iq::Command& command, iq::Plan& plan) {
    ThrowAsTold(command);
    plan.Lock("user:", std::numeric_limits<std::int64_t>::min());
    plan.Lock(std::string_view("plain"));
  }
  static void Handle(const iq::Command& command, iq::Context& context) {
    ThrowAsTold(command);
    context.Execute("UPDATE t SET a = $1", 1);
  }
  static void HandleBatch(std::span<const iq::Command> commands, iq::BatchContext& batch) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
      ThrowAsTold(commands[i]);
      if (commands[i].FindText("how") == "discard") batch.Discard();
      if (commands[i].FindText("how") == "refuse") {
        batch.Reject(i, "no_way", "not like this");
      } else {
        batch.Emit(i, "event", {{"id", commands[i].id()}});
      }
    }
    batch.Execute("SELECT 1");
  }
};

// Runs whatever the test wants inside of Handle. One test at a time.
struct Probe {
  static constexpr std::string_view kType = "probe";
  using Body = void (*)(const iq::Command&, iq::Context&);
  static Body& body() {
    static Body body = nullptr;
    return body;
  }
  static void Handle(const iq::Command& command, iq::Context& context) { body()(command, context); }
};

class Settings {
 public:
  static constexpr std::string_view kType = "settings";
  static constexpr std::string_view kEvents = "{}";
  explicit Settings(const iq::Host& host)
      : host_(host), loud_(host.Flag("loud", false)), quiet_(host.Flag("quiet", true)) {}

  void Handle(const iq::Command& /*command*/, iq::Context& context) const {
    host_.Log(iq::LogLevel::kWarn, host_.Setting("text").value_or("none"));
    context.Log(iq::LogLevel::kInfo, host_.version());
    context.Emit("flags", {{"loud", loud_}, {"quiet", quiet_}});
  }

 private:
  const iq::Host& host_;
  bool loud_;
  bool quiet_;
};

}  // namespace

IQ_PLUGIN("sdk-test", "1.2.3", Thrower, Probe, Settings)

namespace {

const iq_command_type& Type(std::string_view name) {
  const iq_plugin& plugin = *iq_plugin_v1();
  for (const iq_command_type* type : std::span(plugin.commands, plugin.command_count)) {
    if (iq::detail::View(type->type) == name) return *type;
  }
  throw std::invalid_argument("no such type");
}

class PluginSdk : public testing::Test {
 protected:
  PluginSdk() : command_(NewCommand(document_)) {}
  void TearDown() override { Destroy(); }

  iq_rc Create(std::string_view type) {
    Destroy();
    type_ = &Type(type);
    return type_->create(&host_, &handler_);
  }

  iq_outcome Plan(std::string_view how) {
    EXPECT_EQ(IQ_OK, Create("thrower"));
    document_.values["how"] = Str(how);
    return type_->plan(handler_, &command_, AsPlan(record_));
  }

  iq_outcome Handle(std::string_view how) {
    EXPECT_EQ(IQ_OK, Create("thrower"));
    document_.values["how"] = Str(how);
    return type_->handle(handler_, &command_, AsContext(record_));
  }

  iq_outcome RunProbe(Probe::Body body) {
    EXPECT_EQ(IQ_OK, Create("probe"));
    Probe::body() = body;
    return type_->handle(handler_, &command_, AsContext(record_));
  }

  // Two commands, the second of which is told `how`.
  iq_outcome HandleTwo(std::string_view how) {
    EXPECT_EQ(IQ_OK, Create("thrower"));
    Document told;
    told.values["how"] = Str(how);
    const iq_command second = NewCommand(told);
    const std::array<const iq_command*, 2> commands{&command_, &second};
    const std::array<iq_context*, 2> contexts{AsContext(record_), AsContext(second_)};
    return type_->handle_batch(handler_, commands.data(), contexts.data(), outcomes_.data(), 2);
  }

  FakeHost host_;
  Document document_;
  iq_command command_;
  Record record_;
  Record second_;
  std::array<iq_outcome, 2> outcomes_{};

 private:
  void Destroy() {
    if (handler_ != nullptr) type_->destroy(handler_);
    handler_ = nullptr;
  }

  const iq_command_type* type_ = nullptr;
  void* handler_ = nullptr;
};

TEST_F(PluginSdk, TablesSayWhatTheAuthorWrote) {
  const iq_plugin& plugin = *iq_plugin_v1();
  EXPECT_EQ(sizeof(iq_plugin), plugin.struct_size);
  EXPECT_EQ(1U, plugin.abi_major);
  EXPECT_EQ(0U, plugin.abi_minor_least);
  EXPECT_EQ("sdk-test", Copy(plugin.name));
  EXPECT_EQ("1.2.3", Copy(plugin.version));
  EXPECT_EQ(3U, plugin.command_count);
  EXPECT_EQ(R"({"type": "object"})", Copy(Type("thrower").schema));
  EXPECT_EQ(sizeof(iq_command_type), Type("thrower").struct_size);
}

TEST_F(PluginSdk, WhatAHandlerLeavesOutIsZero) {
  const iq_command_type& probe = Type("probe");
  EXPECT_EQ(0U, probe.schema.len);
  EXPECT_EQ(nullptr, probe.plan);
  EXPECT_EQ(nullptr, iq::detail::MakePlugin<Probe>("probe", "1.0.0").get_extension);
  EXPECT_EQ(nullptr, probe.handle_batch);
  EXPECT_EQ(0U, probe.flags);
  EXPECT_NE(nullptr, Type("thrower").plan);
  EXPECT_NE(nullptr, Type("thrower").handle_batch);
  EXPECT_EQ(IQ_BATCH_SHARES_KEYS, Type("thrower").flags);
}

TEST_F(PluginSdk, TheEventsOfAllHandlersAreOneAnswer) {
  const auto extension = [](std::string_view id) {
    return static_cast<const iq_str*>(iq_plugin_v1()->get_extension(iq::detail::Borrow(id)));
  };
  ASSERT_NE(nullptr, extension(IQ_EXTENSION_EVENTS));
  EXPECT_EQ(R"([{"thrown": {}},{}])", Copy(*extension(IQ_EXTENSION_EVENTS)));
  EXPECT_EQ(nullptr, extension("iq.events/2"));
}

TEST_F(PluginSdk, ReturningIsDone) {
  EXPECT_EQ(IQ_DONE, Handle(""));
  EXPECT_THAT(record_.statements, ElementsAre("UPDATE t SET a = $1"));
  EXPECT_EQ("", record_.code);
}

TEST_F(PluginSdk, RejectCarriesItsCodeAndReason) {
  EXPECT_EQ(IQ_REJECT, Handle("reject"));
  EXPECT_EQ("no_way", record_.code);
  EXPECT_EQ("not like this", record_.reason);
}

TEST_F(PluginSdk, RetryCarriesItsCodeAndReason) {
  EXPECT_EQ(IQ_RETRY, Handle("retry"));
  EXPECT_EQ("not_yet", record_.code);
  EXPECT_EQ("come again", record_.reason);
}

TEST_F(PluginSdk, InvalidInPlanRefusesTheMessageAsSchema) {
  EXPECT_EQ(IQ_INVALID, Plan("invalid"));
  EXPECT_EQ("schema", record_.code);
  EXPECT_EQ("sum must be above zero", record_.reason);
}

TEST_F(PluginSdk, InvalidInHandleIsAFaultOfTheHandler) {
  EXPECT_EQ(IQ_FATAL, Handle("invalid"));
  EXPECT_EQ("handler_error", record_.code);
  EXPECT_EQ("sum must be above zero", record_.reason);
}

TEST_F(PluginSdk, LackOfMemoryIsARetry) {
  EXPECT_EQ(IQ_RETRY, Handle("bad_alloc"));
  EXPECT_EQ("out_of_memory", record_.code);
}

TEST_F(PluginSdk, AnyOtherExceptionIsFatal) {
  EXPECT_EQ(IQ_FATAL, Handle("exception"));
  EXPECT_EQ("handler_error", record_.code);
  EXPECT_EQ("what it says", record_.reason);
  EXPECT_EQ(IQ_FATAL, Handle("other"));
  EXPECT_EQ("handler_error", record_.code);
  EXPECT_THAT(record_.reason, HasSubstr("no std::exception"));
}

TEST_F(PluginSdk, NoExceptionLeavesPlan) {
  EXPECT_EQ(IQ_FATAL, Plan("exception"));
  EXPECT_EQ("what it says", record_.reason);
  EXPECT_EQ(IQ_FATAL, Plan("other"));
  EXPECT_EQ(IQ_RETRY, Plan("bad_alloc"));
}

TEST_F(PluginSdk, PlanNamesItsKeys) {
  EXPECT_EQ(IQ_OK, Plan(""));
  EXPECT_THAT(record_.keys, ElementsAre("user:-9223372036854775808", "plain"));
}

TEST_F(PluginSdk, ALockKeyThatTheHostRefusesIsFatal) {
  record_.answer = IQ_E_INVALID;
  EXPECT_EQ(IQ_FATAL, Plan(""));
  EXPECT_EQ("handler_error", record_.code);
}

TEST_F(PluginSdk, AFailedCallIsFatalForTheReasonThatTheHostGives) {
  for (const iq_rc rc : {IQ_E_SQL, IQ_E_CONFLICT, IQ_E_UNAVAILABLE, IQ_E_DEADLINE, IQ_E_STATE}) {
    record_ = {};
    record_.answer = rc;
    record_.last_error = "division by zero";
    EXPECT_EQ(IQ_FATAL, Handle(""));
    EXPECT_EQ("division by zero", record_.reason) << rc;
  }
}

TEST_F(PluginSdk, AFailedCallSaysSomethingWhereTheHostHasNothingToSay) {
  record_.answer = IQ_E_INVALID;
  EXPECT_EQ(IQ_FATAL, Handle(""));
  EXPECT_EQ("handler_error", record_.code);
}

TEST_F(PluginSdk, AFunctionThatTheHostLacksIsAFaultAndNoCrash) {
  host_.functions.struct_size = offsetof(iq_core, time_left_us);
  EXPECT_EQ(0, abi_c99_has_time_left(&host_.functions));
  EXPECT_EQ(IQ_FATAL,
            RunProbe([](const iq::Command&, iq::Context& context) { (void)context.time_left(); }));
  EXPECT_THAT(record_.reason, HasSubstr("does not have a function"));
  host_.functions.struct_size = sizeof(iq_core);
  EXPECT_EQ(1, abi_c99_has_time_left(&host_.functions));
  host_.functions.fail = nullptr;
  host_.functions.last_error = nullptr;
  host_.functions.execute = nullptr;
  EXPECT_EQ(IQ_FATAL, Handle(""));
  EXPECT_EQ(IQ_FATAL, Handle("exception"));
}

TEST_F(PluginSdk, SettingsReachTheConstructor) {
  host_.settings = {{"loud", "true"}, {"quiet", "false"}, {"text", "hello"}};
  ASSERT_EQ(IQ_OK, Create("settings"));
  void* handler = nullptr;
  ASSERT_EQ(IQ_OK, Type("settings").create(&host_, &handler));
  EXPECT_EQ(IQ_DONE, Type("settings").handle(handler, &command_, AsContext(record_)));
  Type("settings").destroy(handler);
  EXPECT_EQ(R"({"loud":true,"quiet":false})", record_.events.at(0).second);
  EXPECT_THAT(*host_.lines, ElementsAre("2 hello", "1+ 9.9"));
}

TEST_F(PluginSdk, ASettingThatIsNotThereHasItsDefault) {
  void* handler = nullptr;
  ASSERT_EQ(IQ_OK, Type("settings").create(&host_, &handler));
  EXPECT_EQ(IQ_DONE, Type("settings").handle(handler, &command_, AsContext(record_)));
  Type("settings").destroy(handler);
  EXPECT_EQ(R"({"loud":false,"quiet":true})", record_.events.at(0).second);
}

TEST_F(PluginSdk, AWrongSettingKeepsThePluginFromServing) {
  host_.settings = {{"loud", "yes"}};
  EXPECT_EQ(IQ_E_INVALID, Create("settings"));
  EXPECT_THAT(*host_.lines, ElementsAre("3 the setting loud must be true or false"));
}

TEST_F(PluginSdk, ABatchEmitsForEachOfItsCommands) {
  EXPECT_EQ(IQ_DONE, HandleTwo(""));
  EXPECT_THAT(outcomes_, ElementsAre(IQ_DONE, IQ_DONE));
  EXPECT_EQ(1U, record_.events.size());
  EXPECT_EQ(1U, second_.events.size());
  EXPECT_THAT(record_.statements, ElementsAre("SELECT 1"));
}

TEST_F(PluginSdk, ABatchRejectsOneCommandAlone) {
  EXPECT_EQ(IQ_DONE, HandleTwo("refuse"));
  EXPECT_THAT(outcomes_, ElementsAre(IQ_DONE, IQ_REJECT));
  EXPECT_EQ("", record_.code);
  EXPECT_EQ("no_way", second_.code);
  EXPECT_EQ("not like this", second_.reason);
}

TEST_F(PluginSdk, WhateverABatchThrowsDiscardsIt) {
  const std::array<std::string_view, 5> ways{"discard", "reject", "retry", "invalid", "bad_alloc"};
  for (const std::string_view how : ways) EXPECT_NE(IQ_DONE, HandleTwo(how)) << how;
  EXPECT_THAT(*host_.lines, IsEmpty());
}

TEST_F(PluginSdk, AFaultInABatchIsLogged) {
  EXPECT_NE(IQ_DONE, HandleTwo("exception"));
  EXPECT_NE(IQ_DONE, HandleTwo("other"));
  EXPECT_THAT(*host_.lines, ElementsAre("2 what it says", HasSubstr("no std::exception")));
}

TEST_F(PluginSdk, AFailedCallDiscardsTheBatch) {
  second_.answer = IQ_E_INVALID;
  EXPECT_NE(IQ_DONE, HandleTwo(""));
}

}  // namespace
