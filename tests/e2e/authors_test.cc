// What the author of a plugin gets: an installation, a project that builds against it, and a host
// that serves what came of it. Everything happens below one directory in /tmp, without servers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "host/elf_facts.h"
#include "tests/e2e/installation.h"

namespace iq::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;

namespace fs = std::filesystem;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr const char* kInC = R"(
  #include <iq/abi.h>
  #ifdef WITH_NOTE
  IQ_PLUGIN_NOTE("in_c", "2.0.1", "in_c.one" "\0" "in_c.two");
  #endif
  __attribute__((constructor)) static void die(void) { __builtin_trap(); }
  const iq_plugin *iq_plugin_v1(void) { return 0; }
)";

constexpr const char* kInCpp = R"(
  #include <iq/plugin.h>
  struct Two {
    static constexpr std::string_view kType = "two";
    void Handle(const iq::Command&, iq::Context&) {}
  };
  IQ_EXPORT int surplus() { return 0; }
)";

void Write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::vector<json> JsonLines(const std::string& text) {
  std::vector<json> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  return rows;
}

// The directory of all these tests; P/ in it is where iq is installed.
class Workshop {
 public:
  Workshop() {
    std::string pattern = "/tmp/iq-authors-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  ~Workshop() { fs::remove_all(folder_); }

  fs::path operator/(const std::string& name) const { return folder_ / name; }
  fs::path prefix() const { return folder_ / "P"; }

  // Runs a program to its end, here, and in an environment that knows nothing of any iq.
  CliResult Run(std::vector<std::string> argv) {
    ProcessOptions options;
    options.directory = folder_;
    options.without_environment = {"IQ_BROKER_URL", "IQ_STORE_URL", "IQ_LOCKS_URL",
                                   "IQ_PLUGINS",    "IQ_SQL_DIR",   "CMAKE_PREFIX_PATH"};
    options.environment = {{"PKG_CONFIG_PATH", prefix() / "lib/pkgconfig"}};
    return CliRun(std::move(argv), options, folder_ / std::to_string(++runs_)).Finish();
  }

  // The installed program.
  CliResult Iq(std::vector<std::string> args) {
    args.insert(args.begin(), prefix() / "bin/iq");
    return Run(std::move(args));
  }

  CliResult Configure(const std::string& project) {
    return Run({"cmake", "-G", "Ninja", "-S", project, "-B", project + "/build",
                "-DCMAKE_PREFIX_PATH=" + prefix().string()});
  }

 private:
  fs::path folder_;
  int runs_ = 0;
};

void ExpectDone(const CliResult& result) {
  EXPECT_EQ(result.status, kDone) << result.out << result.err;
}

class AuthorsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    shop_ = std::make_unique<Workshop>();
    ExpectDone(shop_->Run({"cmake", "--install", IQ_BINARY_DIR, "--prefix", shop_->prefix()}));
    ExpectDone(shop_->Iq({"plugin", "new", "hello"}));
    ExpectDone(shop_->Configure("hello"));
    ExpectDone(shop_->Run({"cmake", "--build", "hello/build"}));
  }
  static void TearDownTestSuite() { shop_.reset(); }

  static CliResult Inspect(const fs::path& file) {
    return shop_->Iq({"plugin", "inspect", "--json", file});
  }

  static fs::path Hello() { return *shop_ / "hello/build/hello.so"; }

  // Compiles kInC with these flags.
  static fs::path InC(const std::string& flags, const std::string& name) {
    Write(*shop_ / "in_c.c", kInC);
    ExpectDone(shop_->Run({"sh", "-c",
                           "cc -std=c99 -pedantic-errors -Wall -Wextra -Werror in_c.c " + flags +
                               " $(pkg-config --cflags --libs iq) -o " + name}));
    return *shop_ / name;
  }

  static std::unique_ptr<Workshop> shop_;
};

std::unique_ptr<Workshop> AuthorsTest::shop_;

// One sentence about the file, and nothing of its code has run.
void ExpectUnfit(const CliResult& result, const std::string& says) {
  EXPECT_EQ(result.status, kFailed);
  EXPECT_THAT(result.err, AllOf(StartsWith("iq: "), HasSubstr(says)));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

TEST_F(AuthorsTest, ANewProjectPassesTheCheckForAuthors) {
  ExpectDone(shop_->Iq({"plugin", "check", Hello(), "--tables", *shop_ / "hello/hello.sql"}));
}

TEST_F(AuthorsTest, ANewProjectPassesItsTests) {
  const CliResult result =
      shop_->Run({"ctest", "--test-dir", "hello/build", "--output-on-failure"});
  ExpectDone(result);
  EXPECT_THAT(result.out, HasSubstr("100% tests passed, 0 tests failed out of 1"));
}

TEST_F(AuthorsTest, TheInstalledHostServesWhatWasBuilt) {
  ExpectDone(shop_->Run({"cmake", "--install", "hello/build", "--prefix", shop_->prefix()}));
  const std::string config = shop_->prefix() / "share/iq/config.yaml";
  const CliResult plugins = shop_->Iq({"plugins", "--json", "--config", config});
  ExpectDone(plugins);
  std::vector<std::string> names;
  for (const json& row : JsonLines(plugins.out)) names.push_back(row.at("plugin"));
  EXPECT_THAT(names, ElementsAre("hello", "income", "lock", "transfer", "withdraw"));
  const CliResult explained =
      shop_->Iq({"explain", R"({"type":"hello","userId":2})", "--json", "--config", config});
  ExpectDone(explained);
  EXPECT_EQ(json::parse(explained.out).at("locks"), json::array({"user:2"}));
  const CliResult refused =
      shop_->Iq({"explain", R"({"type":"hello","userId":0})", "--json", "--config", config});
  EXPECT_EQ(json::parse(refused.out).at("code"), "schema");
}

TEST_F(AuthorsTest, TheInstalledSqlServesAConfigurationThatHasNoneBesideIt) {
  fs::create_directory(*shop_ / "site");
  fs::copy(shop_->prefix() / "share/iq/config.yaml", *shop_ / "site/config.yaml");
  const CliResult migrated = shop_->Iq({"migrate", "--config", "site/config.yaml"});
  ExpectDone(migrated);
  EXPECT_THAT(migrated.out, HasSubstr("applied billing/001_balance"));
  ExpectDone(shop_->Iq({"seed", "--config", "site/config.yaml"}));
  // What lies beside it comes first.
  fs::create_directory(*shop_ / "site/sql");
  EXPECT_THAT(shop_->Iq({"migrate", "--config", "site/config.yaml"}).err, HasSubstr("site/sql"));
}

TEST_F(AuthorsTest, NothingInstalledNamesTheSourceOrTheBuild) {
  for (const char* folder : {"lib/cmake", "lib/pkgconfig", "share", "include"}) {
    for (const auto& entry : fs::recursive_directory_iterator(shop_->prefix() / folder)) {
      if (!entry.is_regular_file()) continue;
      EXPECT_THAT(ReadFile(entry.path()), Not(HasSubstr(IQ_SOURCE_DIR))) << entry.path();
    }
  }
}

TEST_F(AuthorsTest, TheDebianPackagesHoldTheHostAndWhatAuthorsNeed) {
  ExpectDone(shop_->Run({"cpack", "-G", "DEB", "--config", IQ_BINARY_DIR "/CPackConfig.cmake", "-B",
                         *shop_ / "packages"}));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(*shop_ / "packages")) {
    if (entry.path().extension() != ".deb") continue;
    names.push_back(shop_->Run({"dpkg-deb", "--field", entry.path(), "Package"}).out);
    ExpectDone(shop_->Run({"dpkg-deb", "--extract", entry.path(), *shop_ / "root"}));
  }
  EXPECT_THAT(names, UnorderedElementsAre("iq\n", "iq-dev\n"));
  const std::string usr = *shop_ / "root/usr";
  EXPECT_THAT(ReadFile(usr + "/share/iq/config.yaml"), HasSubstr("/usr/lib/iq/plugins"));
  EXPECT_TRUE(fs::exists(usr + "/lib/iq/plugins/income.so"));
  EXPECT_TRUE(fs::exists(usr + "/share/man/man1/iq.1"));
  EXPECT_THAT(ReadFile(usr + "/share/bash-completion/completions/iq"), HasSubstr("_iq iq"));
  ExpectDone(shop_->Run({usr + "/bin/iq", "plugin", "new", "packed"}));
  ExpectDone(shop_->Run({"cmake", "-G", "Ninja", "-S", "packed", "-B", "packed/build",
                         "-DCMAKE_PREFIX_PATH=" + usr}));
  ExpectDone(shop_->Run({"cmake", "--build", "packed/build"}));
  ExpectDone(shop_->Run({usr + "/bin/iq", "plugin", "check", *shop_ / "packed/build/packed.so",
                         "--tables", *shop_ / "packed/packed.sql"}));
}

TEST_F(AuthorsTest, TheTestkitShowsItsOwnNamesAndKnowsNoPath) {
  const fs::path testkit = shop_->prefix() / "lib/libiq_testkit.so";
  std::vector<std::string> names;
  for (const auto& symbol : ReadElf(ReadFile(testkit)).exports) names.push_back(symbol.name);
  EXPECT_THAT(names, AllOf(Not(IsEmpty()), Each(StartsWith("_ZN2iq7testkit4Host")),
                           Each(Not(HasSubstr("State")))));
  const CliResult dynamic = shop_->Run({"readelf", "--dynamic", "--wide", testkit});
  EXPECT_THAT(dynamic.out, AllOf(HasSubstr("NEEDED"), Not(ContainsRegex("RUNPATH|RPATH"))));
}

TEST_F(AuthorsTest, InspectTellsWhatAPluginIs) {
  const CliResult result = Inspect(Hello());
  ExpectDone(result);
  const json facts = json::parse(result.out);
  EXPECT_EQ(facts.at("manifest"), true);
  EXPECT_EQ(facts.at("plugin"), "hello");
  EXPECT_EQ(facts.at("version"), "1.0.0");
  EXPECT_EQ(facts.at("types"), json::array({"hello"}));
  EXPECT_EQ(facts.at("abi"), "1.0");
  EXPECT_EQ(facts.at("exports"), json::array({"iq_plugin_v1"}));
  EXPECT_EQ(facts.at("undefined"), json::array());
  EXPECT_EQ(facts.at("bytes"), fs::file_size(Hello()));
  EXPECT_THAT(shop_->Run({"sha256sum", Hello()}).out,
              StartsWith(facts.at("sha256").get<std::string>() + " "));
  EXPECT_THAT(facts.at("needed").get<std::vector<std::string>>(), Contains("libc.so.6"));
  EXPECT_THAT(facts.at("architecture"), testing::AnyOf("x86-64", "aarch64"));
}

TEST_F(AuthorsTest, InspectRunsNothingOfTheFile) {
  const CliResult with = Inspect(InC("-DWITH_NOTE -DIQ_USE_MINOR=0u", "with_note.so"));
  ExpectDone(with);
  const json facts = json::parse(with.out);
  EXPECT_EQ(facts.at("plugin"), "in_c");
  EXPECT_EQ(facts.at("version"), "2.0.1");
  EXPECT_EQ(facts.at("types"), json::array({"in_c.one", "in_c.two"}));
}

TEST_F(AuthorsTest, AManifestOutlivesStripAndGarbageCollection) {
  const fs::path file =
      InC("-DWITH_NOTE -O2 -flto -ffunction-sections -fdata-sections -Wl,--gc-sections -s", "s.so");
  EXPECT_EQ(json::parse(Inspect(file).out).at("version"), "2.0.1");
}

TEST_F(AuthorsTest, APluginNeedNotHaveAManifest) {
  const CliResult without = Inspect(InC("", "without_note.so"));
  ExpectDone(without);
  const json facts = json::parse(without.out);
  EXPECT_EQ(facts.at("manifest"), false);
  EXPECT_FALSE(facts.contains("plugin"));
}

TEST_F(AuthorsTest, InspectNamesWhatIsExpectedFromElsewhere) {
  Write(*shop_ / "needy.c",
        "int from_somewhere(void); unsigned long OpenSSL_version_num(void);"
        "__attribute__((visibility(\"default\"))) int iq_plugin_v1(void) {"
        "  return from_somewhere() + (int)OpenSSL_version_num(); }");
  ExpectDone(shop_->Run({"cc", "-shared", "-fPIC", "needy.c", "-lcrypto", "-o", "needy.so"}));
  EXPECT_THAT(json::parse(Inspect("needy.so").out).at("undefined").get<std::vector<std::string>>(),
              UnorderedElementsAre("from_somewhere", "OpenSSL_version_num (libcrypto.so.3)"));
}

TEST_F(AuthorsTest, InspectSaysWhyAFileCannotServe) {
  const std::string whole = ReadFile(Hello());
  const auto with = [&](const std::string& bytes) {
    Write(*shop_ / "unfit.so", bytes);
    return Inspect("unfit.so");
  };
  ExpectUnfit(with(whole.substr(0, whole.size() - 1)), "truncated");
  ExpectUnfit(with(whole.substr(0, 10)), "too short");
  ExpectUnfit(with("#!/bin/sh\n" + whole), "not an ELF file");
  std::string other = whole;
  other[18] = '\x08';  // e_machine: MIPS
  ExpectUnfit(with(other), "another machine");

  other = whole;
  const std::size_t major = other.find(std::string("IQ\0\0\1\0\0\0", 8)) + 4;
  ASSERT_LT(major, other.size());
  other[major] = '\2';
  ExpectUnfit(with(other), "ABI major 2");
  ExpectUnfit(Inspect(InC("-DWITH_NOTE -DIQ_USE_MINOR=7u", "later.so")), "needs ABI 1.7");

  ExpectUnfit(Inspect(IQ_BINARY_DIR "/test_plugins/no_entry.so"), "does not export iq_plugin_v1");
  ExpectUnfit(Inspect("no_such.so"), "cannot be read");
}

TEST_F(AuthorsTest, NoDamageToAFileHarmsItsReader) {
  constexpr int kRounds = 3000;
  constexpr std::size_t kBytesChanged = 4;
  const std::string whole = ReadFile(InC("-DWITH_NOTE -s", "small.so"));
  std::mt19937 random(20260116);
  int damaged = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string bytes = whole;
    for (std::size_t i = 0; i < kBytesChanged; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (round % 3 == 0) bytes.resize(random() % bytes.size());
    try {
      ReadElf(bytes);
    } catch (const std::runtime_error&) {
      ++damaged;
    }
  }
  EXPECT_GT(damaged, 0);
}

TEST_F(AuthorsTest, ABuildFailsUnlessExactlyTheEntryPointIsExported) {
  const std::string source = kInCpp;
  Write(*shop_ / "loose/loose.cc", source + "IQ_PLUGIN(\"two\", \"1\", Two)");
  Write(*shop_ / "loose/mute.cc", source);
  Write(*shop_ / "loose/CMakeLists.txt",
        "cmake_minimum_required(VERSION 3.25)\nproject(loose CXX)\nfind_package(iq REQUIRED)\n"
        "iq_add_plugin(strict SOURCES loose.cc)\n"
        "iq_add_plugin(loose SOURCES loose.cc)\n"
        "set_property(TARGET loose PROPERTY LINK_OPTIONS)\n"
        "iq_add_plugin(mute SOURCES mute.cc)\n");
  ExpectDone(shop_->Configure("loose"));
  ExpectDone(shop_->Run({"cmake", "--build", "loose/build", "--target", "strict"}));

  const CliResult loose = shop_->Run({"cmake", "--build", "loose/build", "--target", "loose"});
  EXPECT_EQ(loose.status, kFailed);
  EXPECT_THAT(loose.out, HasSubstr("loose.so exports more than iq_plugin_v1: "));
  EXPECT_THAT(loose.out, HasSubstr("surplus"));
  EXPECT_FALSE(fs::exists(*shop_ / "loose/build/loose.so"));

  const CliResult mute = shop_->Run({"cmake", "--build", "loose/build", "--target", "mute"});
  EXPECT_EQ(mute.status, kFailed);
  EXPECT_THAT(mute.out, HasSubstr("mute.so does not export iq_plugin_v1"));
}

TEST_F(AuthorsTest, ASchemaThatIsNoJsonStopsTheConfiguration) {
  Write(*shop_ / "odd/odd.cc", "");
  Write(*shop_ / "odd/odd.json", R"({"type": )");
  Write(*shop_ / "odd/CMakeLists.txt",
        "cmake_minimum_required(VERSION 3.25)\nproject(odd CXX)\nfind_package(iq REQUIRED)\n"
        "iq_add_plugin(odd SOURCES odd.cc SCHEMA odd.json)\n");
  const CliResult result = shop_->Configure("odd");
  EXPECT_EQ(result.status, kFailed);
  EXPECT_THAT(result.err, HasSubstr("odd.json: this is no JSON"));
}

TEST_F(AuthorsTest, APlainCompilerLineBuildsAPlugin) {
  Write(*shop_ / "two.cc", std::string(kInCpp) + "IQ_PLUGIN(\"two\", \"1.2\", Two)");
  ExpectDone(shop_->Run(
      {"sh", "-c", "g++ -std=c++20 -O2 two.cc $(pkg-config --cflags --libs iq) -o two.so"}));
  const json facts = json::parse(Inspect("two.so").out);
  EXPECT_EQ(facts.at("exports"), json::array({"iq_plugin_v1"}));
  EXPECT_EQ(facts.at("types"), json::array({"two"}));
}

TEST_F(AuthorsTest, ANewProjectGoesOnlyWhereNothingIs) {
  const CliResult again = shop_->Iq({"plugin", "new", "hello"});
  EXPECT_EQ(again.status, kUsage);
  EXPECT_THAT(again.err, HasSubstr("hello is not empty"));
  fs::create_directory(*shop_ / "empty");
  ExpectDone(shop_->Iq({"plugin", "new", "add_points", "--directory", "empty"}));
  EXPECT_THAT(ReadFile(*shop_ / "empty/add_points.cc"),
              AllOf(HasSubstr("struct AddPoints"), Not(HasSubstr("@"))));
}

TEST_F(AuthorsTest, ANameIsOneThatEverythingCanBear) {
  for (const char* name : {"", "Hello", "1st", "a-b", "../x", "test", "naïve"}) {
    const CliResult result = shop_->Iq({"plugin", "new", "--directory", "never", "--", name});
    EXPECT_EQ(result.status, kUsage) << name << ": " << result.err;
  }
  EXPECT_FALSE(fs::exists(*shop_ / "never"));
}

TEST_F(AuthorsTest, TheBuildTreeHasTheTemplateToo) {
  ExpectDone(shop_->Run({IQ_BINARY_DIR "/iq", "plugin", "new", "from_tree"}));
  EXPECT_TRUE(fs::exists(*shop_ / "from_tree/from_tree.schema.json"));
}

}  // namespace
}  // namespace iq::test
