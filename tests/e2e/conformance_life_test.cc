// From init to shutdown, and on which threads, against abi.h: on hosts that are stopped before the
// plugin's log is read.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/e2e/conformance_fixture.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr auto kPatience = 60s;

class ConformanceLifeTest : public testing::Test {
 protected:
  void Start(const InstallationOptions& options) {
    iq_ = std::make_unique<Installation>(options);
    iq_->StartHosts();
  }
  // One host with so many workers, each of which gets its share.
  void StartWorkers(std::size_t workers) {
    InstallationOptions options = ConformanceOptions(plugins_.path());
    options.consumer = fmt::format("workers: {}, batch: 4, prefetch: 8, ", workers);
    options.locks = "lease: 4s, wait: 30s";
    Start(options);
    const auto consume = [&] { return iq_->broker().Consumers("billing") == workers; };
    ASSERT_TRUE(Eventually(kPatience, consume)) << iq_->Log();
  }
  // Sends so many, and waits until all are done.
  void Run(const std::string& check, std::size_t count) {
    std::vector<AmqpPublishing> publishings;
    for (std::size_t i = 0; i < count; ++i) {
      const auto user = static_cast<std::int64_t>(i);
      publishings.push_back({"billing", "", CheckBody(check, user), {}});
    }
    iq_->broker().Publish(publishings);
    const auto events = iq_->NextEvents(count);
    EXPECT_EQ(events.size(), count) << iq_->Log();
    for (const AmqpDelivery& event : events) EXPECT_EQ(event.key, kConformed) << event.body;
  }
  std::size_t Times(const std::string& message) {
    std::size_t count = 0;
    for (const json& line : SaidByPlugin(iq_->Log())) {
      if (line["message"].get<std::string>().starts_with(message)) ++count;
    }
    return count;
  }
  // What abi.h says of the order of calls, and of their threads, is seen to hold only now.
  void StopAndExpectShutdowns(std::size_t count) {
    iq_->StopHosts();
    EXPECT_EQ(Times("conformance is initialised"), count);
    EXPECT_EQ(Times("conformance is shut down"), count);
    EXPECT_THAT(iq_->Log(), Not(HasSubstr("violated: ")));
  }

  PluginFolder plugins_{"conformance.so"};
  std::unique_ptr<Installation> iq_;
};

TEST_F(ConformanceLifeTest, AHandlerStaysOnItsThreadAndEndsBeforeThePlugin) {
  StartWorkers(4);
  Run("rows", 100);
  StopAndExpectShutdowns(1);
  EXPECT_EQ(Times("conformance is shut down, handlers made: 4"), 1U) << iq_->Log();
}

TEST_F(ConformanceLifeTest, WhatHasALockKeyInCommonIsHandledOneByOne) {
  StartWorkers(4);
  Run("exclusion", 100);
  StopAndExpectShutdowns(1);
}

TEST_F(ConformanceLifeTest, AReplacedGenerationIsShutDownAfterItsHandlers) {
  Start(ConformanceOptions(plugins_.path()));
  Run("tables", 1);
  const fs::path unfinished = plugins_.path() / ".unfinished";
  fs::copy_file(std::string(kTestPlugins) + "conformance.so", unfinished);
  std::ofstream(unfinished, std::ios::app) << "another sum";
  fs::rename(unfinished, plugins_.path() / "conformance.so");
  const auto replaced = [&] { return Times("conformance is initialised") == 2; };
  ASSERT_TRUE(Eventually(kPatience, replaced)) << iq_->Log();
  const auto shut_down = [&] {
    Run("tables", 1);
    return Times("conformance is shut down") == 1;
  };
  EXPECT_TRUE(Eventually(kPatience, shut_down)) << iq_->Log();
  StopAndExpectShutdowns(2);
}

TEST_F(ConformanceLifeTest, APluginWhoseInitRefusesIsNotServed) {
  InstallationOptions options = ConformanceOptions(plugins_.path());
  options.plugin_settings = "{conformance: {refuse: 'yes'}}";
  Start(options);
  EXPECT_THAT(iq_->Log(), HasSubstr("init failed"));
  iq_->Send(CheckBody("tables", 1));
  EXPECT_EQ(iq_->NextDead().properties.headers.at("x-iq-code"), "unknown_type");
  iq_->StopHosts();
  EXPECT_EQ(Times("conformance is shut down"), 0U);
  EXPECT_THAT(iq_->Log(), Not(HasSubstr("violated: ")));
}

}  // namespace
}  // namespace iq::test
