// sdk/abi/guard.py lets an append through and stops every break that plugins elsewhere have
// suffered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/process.h"

namespace iq::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

namespace fs = std::filesystem;

const fs::path kAbi = IQ_SOURCE_DIR "/sdk/abi";

void Write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

fs::path NewestRelease() {
  fs::path newest;
  int newest_minor = -1;
  for (const auto& each : fs::directory_iterator(kAbi)) {
    const std::string name = each.path().filename();
    if (!name.starts_with("1.")) continue;
    const int minor = std::stoi(name.substr(2));
    if (minor > newest_minor) newest = each.path();
    newest_minor = std::max(newest_minor, minor);
  }
  return newest;
}

// The newest release in a folder of its own, with a header that a test edits.
class AbiGuardTest : public testing::Test {
 protected:
  AbiGuardTest() {
    std::string folder = fs::temp_directory_path() / "iq-abi-XXXXXX";
    folder_ = ::mkdtemp(folder.data());
    const fs::path newest = NewestRelease();
    minor_ = std::stoi(newest.filename().string().substr(2));
    fs::copy(newest, released() / newest.filename(), fs::copy_options::recursive);
    Write(released() / ".abi-history", "1." + std::to_string(minor_) + ": released\n");
    header_ = ReadFile(newest / "iq/abi.h");
  }
  ~AbiGuardTest() override { fs::remove_all(folder_); }

  fs::path released() const {
    fs::create_directories(folder_ / "released");
    return folder_ / "released";
  }

  void Edit(const std::string& from, const std::string& to) {
    const auto at = header_.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    ASSERT_EQ(header_.find(from, at + 1), std::string::npos) << "twice: " << from;
    header_.replace(at, from.size(), to);
  }
  void Append() { Edit("#endif\n} iq_plugin;", "#endif\n  uint64_t added;\n} iq_plugin;"); }
  void RaiseMinor() {
    Edit("#define IQ_ABI_MINOR " + std::to_string(minor_) + "u",
         "#define IQ_ABI_MINOR " + std::to_string(minor_ + 1) + "u");
  }
  void TellWhy() {
    std::ofstream(released() / ".abi-history", std::ios::app)
        << "1." << minor_ + 1 << ": a field for the test\n";
  }

  // What the guard says; empty when it lets the header pass.
  std::string Check() {
    Write(folder_ / "abi.h", header_);
    const fs::path said = folder_ / "said";
    Process guard(
        {kAbi / "guard.py", "check", "--header", folder_ / "abi.h", "--released", released()},
        {.stderr_file = said});
    const auto exit = guard.Wait(std::chrono::minutes(2));
    const std::string text = ReadFile(said);
    EXPECT_EQ(exit, ExitStatus{.code = text.empty() ? 0 : 1});
    return text;
  }

  fs::path folder_;
  std::string header_;
  int minor_ = 0;
};

TEST_F(AbiGuardTest, WhatIsReleasedPasses) { EXPECT_THAT(Check(), IsEmpty()); }

TEST_F(AbiGuardTest, AnAppendWithAMinorAndAReasonPasses) {
  Append();
  RaiseMinor();
  TellWhy();
  EXPECT_THAT(Check(), IsEmpty());
}

TEST_F(AbiGuardTest, AnAppendNeedsAMinor) {
  Append();
  EXPECT_THAT(Check(), HasSubstr("raise IQ_ABI_MINOR"));
}

TEST_F(AbiGuardTest, AMinorNeedsAReason) {
  Append();
  RaiseMinor();
  EXPECT_THAT(Check(), HasSubstr(".abi-history has no line"));
}

TEST_F(AbiGuardTest, ATypeThatTheAnchorDoesNotReachIsNamed) {
  Edit("typedef struct iq_plugin {",
       "typedef struct iq_lost { int32_t one; } iq_lost;\n"
       "typedef struct iq_plugin {");
  EXPECT_THAT(Check(), HasSubstr("does not reach iq_lost"));
}

TEST(AbiGuard, TheHeaderOfThisSourceTreePasses) {
  Process guard({kAbi / "guard.py", "check"});
  EXPECT_EQ(guard.Wait(std::chrono::minutes(2)), ExitStatus{.code = 0});
}

struct Break {
  const char* name;
  const char* from;
  const char* to;
  const char* complaint;
};

// Each with the minor and the reason that an append needs: that must not make it pass.
class AbiBreakTest : public AbiGuardTest, public testing::WithParamInterface<Break> {};

TEST_P(AbiBreakTest, IsStopped) {
  Edit(GetParam().from, GetParam().to);
  RaiseMinor();
  TellWhy();
  EXPECT_THAT(Check(), HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Every, AbiBreakTest,
    testing::Values(
        Break{"ReorderedFields", "  uint32_t abi_minor;\n  uint32_t reserved;\n  iq_str version;",
              "  uint32_t reserved;\n  uint32_t abi_minor;\n  iq_str version;", "iq_host: field 3"},
        Break{"ReorderedFunctions",
              "  int64_t (*now_us)(iq_context *context);\n"
              "  int64_t (*time_left_us)(iq_context *context);\n",
              "  int64_t (*time_left_us)(iq_context *context);\n"
              "  int64_t (*now_us)(iq_context *context);\n",
              "iq_core: field 13"},
        Break{"RemovedFunction", "  void (*destroy)(void *handler);\n", "",
              "iq_command_type: field 6"},
        Break{"ChangedType", "  uint32_t attempts_max;", "  uint64_t attempts_max;",
              "iq_command: field 3"},
        Break{"ChangedSign", "  int64_t timestamp_us; ", "  uint64_t timestamp_us;",
              "iq_command: field 10"},
        Break{"InsertedField", "  uint32_t command_count;\n",
              "  uint32_t command_count;\n  uint64_t inserted;\n", "iq_plugin: field 9"},
        Break{"ChangedParameter", "(*plan_lock)(iq_plan *plan, iq_str key)",
              "(*plan_lock)(iq_plan *plan, iq_str key, uint32_t mode)", "iq_core: field 5"},
        Break{"ChangedResult", "  iq_str (*last_error)(iq_context *context);",
              "  iq_rc (*last_error)(iq_context *context);", "iq_core: field 12"},
        Break{"RemovedField", "  const void *document;     /* The host's own. */\n", "",
              "iq_command: field 11"},
        Break{"ChangedUnion", "      uint64_t count;\n    } array;",
              "      uint32_t count;\n    } array;", "iq_value: field 3"},
        Break{"ChangedListener",
              "(*on_event)(void *listener, const iq_command *event, iq_context *context)",
              "(*on_event)(void *listener, iq_context *context)", "iq_listener: field 8"},
        Break{"GrownFrozenType", "  uint64_t len; /* Bytes. */",
              "  uint64_t len; /* Bytes. */\n  uint64_t capacity;", "iq_str is frozen"},
        Break{"ChangedConstant", "#define IQ_REJECT 100", "#define IQ_REJECT 101",
              "IQ_REJECT was 100"},
        Break{"RemovedConstant", "#define IQ_LOG_ERROR 3u\n", "", "IQ_LOG_ERROR was 3u, is gone"}),
    [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace iq::test
