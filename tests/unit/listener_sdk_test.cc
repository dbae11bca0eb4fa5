// Listeners as plugin.h makes them, called as a host calls them.
#define IQ_USE_MINOR 1
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "fake_host.h"

namespace iq_test {

using testing::ElementsAre;
using testing::Pair;

struct Command {
  static constexpr std::string_view kType = "listened.command";
  static void Handle(const iq::Command& /*command*/, iq::Context& /*context*/) {}
};

struct Note {
  static constexpr std::string_view kName = "note";
  static constexpr std::string_view kPattern = "balance.*";

  static void Plan(const iq::Event& event, iq::Plan& plan) {
    plan.Lock("user:", event.Integer("data.userId"));
  }
  static void OnEvent(const iq::Event& event, iq::Context& context) {
    if (event.name() == "balance.odd") throw iq::Reject("odd", "not for me");
    if (event.name() == "balance.bad") throw std::runtime_error("a fault");
    context.Execute("INSERT INTO note VALUES ($1)", event.command_id());
    context.Emit("noted", {{"of", event.id()}});
  }
};

struct Bare {
  static constexpr std::string_view kName = "bare";
  static constexpr std::string_view kPattern = "#";
  static void OnEvent(const iq::Event& /*event*/, iq::Context& /*context*/) {}
};

}  // namespace iq_test

IQ_PLUGIN("listened", "1.2.3", iq_test::Note, iq_test::Command, iq_test::Bare)

namespace iq_test {
namespace {

class ListenerSdk : public testing::Test {
 protected:
  ListenerSdk() : event_(NewCommand(document_)) {
    document_.values["commandId"] = Str("c-1");
    document_.values["data.userId"] = Int(7);
    EXPECT_EQ(IQ_OK, Note().create(&host_, &listener_));
  }
  ~ListenerSdk() override { Note().destroy(listener_); }

  static const iq_listener& Note() { return *iq_plugin_v1()->listeners[0]; }
  iq_outcome OnEvent(std::string_view name) {
    event_.type = iq::detail::Borrow(name);
    return Note().on_event(listener_, &event_, AsContext(record_));
  }

  FakeHost host_;
  Document document_;
  iq_command event_;
  Record record_;
  void* listener_ = nullptr;
};

TEST_F(ListenerSdk, TablesHoldEachPartInItsOwn) {
  const iq_plugin& plugin = *iq_plugin_v1();
  EXPECT_EQ(1U, plugin.abi_minor_least);
  ASSERT_EQ(1U, plugin.command_count);
  EXPECT_EQ("listened.command", Copy(plugin.commands[0]->type));
  ASSERT_EQ(2U, plugin.listener_count);
  EXPECT_EQ("note", Copy(plugin.listeners[0]->name));
  EXPECT_EQ("balance.*", Copy(plugin.listeners[0]->pattern));
  EXPECT_EQ("bare", Copy(plugin.listeners[1]->name));
  EXPECT_EQ(nullptr, plugin.listeners[1]->plan);
}

TEST_F(ListenerSdk, AnEventHasItsNameItsIdAndItsCommand) {
  EXPECT_EQ(IQ_DONE, OnEvent("balance.income"));
  EXPECT_THAT(record_.arguments, ElementsAre("text c-1"));
  EXPECT_THAT(record_.events, ElementsAre(Pair("noted", R"({"of":"id-1"})")));
}

TEST_F(ListenerSdk, ItsPlanNamesLocks) {
  EXPECT_EQ(IQ_DONE, Note().plan(listener_, &event_, AsPlan(record_)));
  EXPECT_THAT(record_.keys, ElementsAre("user:7"));
}

TEST_F(ListenerSdk, WhatItThrowsIsAnOutcome) {
  EXPECT_EQ(IQ_REJECT, OnEvent("balance.odd"));
  EXPECT_EQ("odd", record_.code);
  EXPECT_EQ(IQ_FATAL, OnEvent("balance.bad"));
  EXPECT_EQ("a fault", record_.reason);
}

}  // namespace
}  // namespace iq_test
