// What the tests of tests/sdk/conformance.c share: commands that have the plugin check the host,
// and what becomes of them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/installation.h"
#include "tests/e2e/plugin_folder.h"

namespace iq::test {

inline constexpr const char* kConformanceType = "test.conformance";
inline constexpr const char* kConformed = "test.conformed";
inline constexpr const char* kTraceparent =
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
inline constexpr std::int64_t kAttemptsMax = 3;

bool OnServers();

// With the settings that the plugin expects.
InstallationOptions ConformanceOptions(const std::filesystem::path& plugins);

// A command that runs the plugin's check `name`.
std::string CheckBody(const std::string& name, std::int64_t user,
                      nlohmann::json details = nlohmann::json::object());

// What the plugin has said in a host's log: its records, in their order.
std::vector<nlohmann::json> SaidByPlugin(const std::string& log);

// One installation and one host for the cases that need no other: each uses users of its own.
class ConformanceTest : public testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();

  static Installation& iq() { return *iq_; }

  // With an account of its own, which is empty.
  static std::int64_t NewUser();

  // How a command ended: by its event test.conformed, or by the one that says it was not done.
  struct End {
    nlohmann::json event;                   // The last of its events.
    std::vector<nlohmann::json> announced;  // Those before.
    AmqpDelivery dead;                      // Its copy, unless it was done.

    std::string Header(const std::string& name) const;
    std::string outcome() const { return Header("x-iq-outcome"); }
    std::string code() const { return Header("x-iq-code"); }
  };
  static End EndOf(const std::string& body, AmqpProperties properties = {});

  // All that abi.h says of the check's topic holds, and the command is done.
  static End ExpectConforms(const std::string& body, AmqpProperties properties = {});
  static void ExpectConforms(const char* check,
                             const nlohmann::json& details = nlohmann::json::object()) {
    ExpectConforms(CheckBody(check, NewUser(), details));
  }

  // All that abi.h says of it holds, and the command is not done: nothing of it takes effect.
  static End ExpectEnds(const std::string& check, const nlohmann::json& details,
                        const std::string& outcome, const std::string& code);

 private:
  // How often the plugin has said of a command that every clause holds.
  static std::size_t TimesConformed(const std::string& id);

  static inline std::unique_ptr<PluginFolder> plugins_;
  static inline std::unique_ptr<Installation> iq_;
};

}  // namespace iq::test
