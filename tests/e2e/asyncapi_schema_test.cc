// What `iq asyncapi` prints obeys AsyncAPI's own JSON Schema, which comes from the package
// @asyncapi/specs: tests/asyncapi/package.json says in which version.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/e2e/installation.h"
#include "tests/e2e/npm_packages.h"
#include "tests/e2e/plugin_folder.h"

namespace iq::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kSource = IQ_SOURCE_DIR "/tests/asyncapi";
const fs::path kFolder = IQ_BINARY_DIR "/asyncapi";
const fs::path kSchema = kFolder / "node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json";

class AsyncApiSchemaTest : public testing::Test {
 protected:
  // Without the schema every test here fails.
  static void SetUpTestSuite() { InstallNpmPackages(kSource, kFolder); }

  // What is wrong with it, a line for each fault.
  static CliResult Validate(const std::string& document) {
    const fs::path file = kFolder / "document.json";
    std::ofstream(file, std::ios::trunc) << document;
    return CliRun({kSource / "validate.py", kSchema, file}, {}, NewRun()).Finish();
  }

  static std::string DocumentOf(const InstallationOptions& options) {
    Installation iq(options);
    const CliResult result = iq.Cli({"asyncapi"});
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }

  static void ExpectValid(const InstallationOptions& options) {
    const CliResult validated = Validate(DocumentOf(options));
    EXPECT_EQ(validated.status, 0) << validated.out << validated.err;
  }

  static InstallationOptions Options() {
    InstallationOptions options;
    options.profile = ProfileName::kEmbedded;
    options.migrate = false;
    return options;
  }

 private:
  // Files for the output of one more program.
  static std::string NewRun() {
    static int runs = 0;
    const std::string run = kFolder / ("run_" + std::to_string(++runs));
    for (const char* extension : {".out", ".err"}) fs::remove(run + extension);
    return run;
  }
};

TEST_F(AsyncApiSchemaTest, OfTheBillingPluginsIsObeyed) { ExpectValid(Options()); }

TEST_F(AsyncApiSchemaTest, WithAServerIsObeyed) {
  InstallationOptions options = Options();
  options.broker_url = "amqps://user:word@nowhere.invalid:5673/shop";
  options.store_url = "postgresql://user:word@nowhere.invalid:1/db";
  options.locks_url = "redis://nowhere.invalid:1/0";
  options.security = "require_signature: true, keys: [secret]";
  ExpectValid(options);
}

TEST_F(AsyncApiSchemaTest, OfPluginsThatSayLittleIsObeyed) {
  PluginFolder plugins{"swap_1.so", "listen_1.so"};
  plugins.Link(IQ_BINARY_DIR "/examples/", "large_movements.so", "large_movements.so");
  InstallationOptions options = Options();
  options.plugins = plugins.path();
  ExpectValid(options);
}

// Otherwise the tests above could not fail.
TEST_F(AsyncApiSchemaTest, IsNotObeyedByAnyDocument) {
  const json whole = json::parse(DocumentOf(Options()));
  for (const char* fault :
       {R"({"operations": {"receive.billing": {"action": "swallow"}}})",
        R"({"channels": {"billing": {"adress": "billing"}}})",
        R"({"channels": {"billing.dead": {"bindings": {"amqp": {"is": "pipe"}}}}})",
        R"({"components": {"messages": {"income": {"payload": {"type": 7}}}}})"}) {
    json broken = whole;
    broken.merge_patch(json::parse(fault));
    const CliResult validated = Validate(broken.dump());
    EXPECT_EQ(validated.status, 1) << fault << validated.err;
    EXPECT_NE(validated.out, "") << fault;
  }
}

}  // namespace
}  // namespace iq::test
