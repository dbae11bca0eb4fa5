#include "host/config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/base/error.h"
#include "tests/unit/config_file.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using test::LoadYaml;
using test::Variable;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr const char* kSum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

bool SameConfig(const Config& a, const Config& b) { return ConfigAsJson(a) == ConfigAsJson(b); }

// The keys of `node` with those above them; the items of a list share one key.
std::set<std::string> KeysOf(const YAML::Node& node, const std::string& above = "") {
  std::set<std::string> keys;
  if (node.IsMap()) {
    for (const auto& entry : node) {
      const std::string key = above + "." + entry.first.Scalar();
      keys.insert(key);
      keys.merge(KeysOf(entry.second, key));
    }
  }
  if (node.IsSequence()) {
    for (const auto& item : node) keys.merge(KeysOf(item, above + "[]"));
  }
  return keys;
}

TEST(Config, AFileThatCannotBeReadIsNamedWithTheWayOut) {
  for (const char* path : {"/nowhere/x.yaml", "/tmp"}) {
    try {
      LoadConfig(path);
      FAIL() << path;
    } catch (const UsageError& e) {
      EXPECT_THAT(e.what(), AllOf(HasSubstr(fmt::format("{}: cannot be read: ", path)),
                                  HasSubstr("name the configuration with --config FILE")));
    }
  }
}

TEST(Config, WhatTheFileLeavesOutHasItsDefault) {
  for (const char* yaml : {"", "# nothing\n", "{}", "log:\n", "plugins:\n  settings:\n",
                           "consumers: [{}]\n", "plugins: {settings: {income: }}\n"}) {
    Config loaded = LoadYaml(yaml);
    loaded.plugins.settings.clear();
    EXPECT_TRUE(SameConfig(loaded, Config{})) << yaml;
  }
}

TEST(Config, TheShippedFileHoldsEveryKeyWithItsDefault) {
  const Variable broker("IQ_BROKER_URL", nullptr);
  const Variable store("IQ_STORE_URL", nullptr);
  const Variable locks("IQ_LOCKS_URL", nullptr);
  const Variable plugins("IQ_PLUGINS", nullptr);
  const Variable signing_key("IQ_SIGNING_KEY", nullptr);
  const Variable console("IQ_CONSOLE_LISTEN", nullptr);
  const Variable token("IQ_ADMIN_TOKEN_SHA256", nullptr);
  const std::string path = IQ_SOURCE_DIR "/config.yaml";

  Config shipped = LoadConfig(path);
  EXPECT_EQ(shipped.plugins.directory, "build/release/plugins");
  EXPECT_THAT(shipped.plugins.settings,
              UnorderedElementsAre(Pair("income", ElementsAre(Pair("open_accounts", "false"))),
                                   Pair("lock", ElementsAre(Pair("await_hold", "false")))));
  shipped.plugins = PluginsConfig{};
  EXPECT_EQ(ConfigAsJson(shipped), ConfigAsJson(Config{}));

  std::set<std::string> keys = KeysOf(YAML::LoadFile(path));
  std::erase_if(keys, [](const auto& key) { return key.starts_with(".plugins.settings."); });
  Config with_token;
  with_token.admin.tokens.emplace_back();
  EXPECT_EQ(keys, KeysOf(YAML::Load(ConfigAsJson(with_token))));
}

TEST(Config, TheShippedFileTakesItsUrlsAndItsSecretsFromTheEnvironment) {
  const Variable broker("IQ_BROKER_URL", "amqp://b/");
  const Variable store("IQ_STORE_URL", "postgresql://s/");
  const Variable locks("IQ_LOCKS_URL", "redis://l");
  const Variable plugins("IQ_PLUGINS", "/elsewhere");
  const Variable signing_key("IQ_SIGNING_KEY", "from the environment");
  const Variable token("IQ_ADMIN_TOKEN_SHA256", kSum);
  const Config config = LoadConfig(IQ_SOURCE_DIR "/config.yaml");
  EXPECT_EQ(config.broker.url, "amqp://b/");
  EXPECT_EQ(config.store.url, "postgresql://s/");
  EXPECT_EQ(config.locks.url, "redis://l");
  EXPECT_EQ(config.plugins.directory, "/elsewhere");
  EXPECT_THAT(config.security.keys, ElementsAre("from the environment"));
  ASSERT_EQ(config.admin.tokens.size(), 1U);
  EXPECT_EQ(config.admin.tokens[0].name, "operator");
  EXPECT_EQ(config.admin.tokens[0].sha256, kSum);
  EXPECT_EQ(config.admin.tokens[0].may, AdminToken::May::kWrite);
  EXPECT_NO_THROW(RequireUrls(config));
}

TEST(Config, AUrlThatTheFileLeavesOutComesFromTheEnvironment) {
  const Variable broker("IQ_BROKER_URL", "amqp://b/");
  const Variable store("IQ_STORE_URL", "postgresql://s/");
  const Variable locks("IQ_LOCKS_URL", "redis://l");
  const Config config = LoadYaml("locks: {wait: 1s}\n");
  EXPECT_EQ(config.broker.url, "amqp://b/");
  EXPECT_EQ(config.store.url, "postgresql://s/");
  EXPECT_EQ(config.locks.url, "redis://l");
  EXPECT_EQ(LoadYaml("broker: {url: 'amqp://file/'}\n").broker.url, "amqp://file/");
}

TEST(Config, WithNoneOfTheUrlsEverythingIsEmbedded) {
  const Variable empty("IQ_TEST_EMPTY", "");
  for (const char* yaml :
       {"", "broker: {publish_patience: 1s}\n", "store: {url: ''}\nlocks: {url: }\n",
        "broker: {url: '${IQ_TEST_EMPTY}'}\nstore: {url: '${IQ_TEST_UNSET:-}'}\n"}) {
    const Config config = LoadYaml(yaml);
    EXPECT_EQ(config.broker.url, "sqlite:var/iq.db") << yaml;
    EXPECT_EQ(config.store.url, "sqlite:var/iq.db") << yaml;
    EXPECT_EQ(config.locks.url, "local:var/iq.locks") << yaml;
    EXPECT_NO_THROW(RequireUrls(config)) << yaml;
    EXPECT_THAT(ConfigAsYaml(config), HasSubstr("url: sqlite:var/iq.db\n")) << yaml;
    EXPECT_THAT(ConfigAsYaml(config), HasSubstr("url: local:var/iq.locks\n")) << yaml;
  }
}

TEST(Config, OneUrlLeavesTheOthersUnset) {
  for (const char* set : {"broker: {url: 'amqp://h'}\n", "store: {url: 'sqlite:a.db'}\n",
                          "locks: {url: 'local:'}\n"}) {
    const Config config = LoadYaml(set);
    const int unset =
        config.broker.url.empty() + config.store.url.empty() + config.locks.url.empty();
    EXPECT_EQ(unset, 2) << set;
    EXPECT_THROW(RequireUrls(config), UsageError) << set;
  }
}

TEST(Config, ServersAndFilesMayBeMixed) {
  const Config config = LoadYaml(
      "broker: {url: 'sqlite:/var/lib/iq/q.db'}\n"
      "store: {url: 'postgresql://h'}\n"
      "locks: {url: 'local:'}\n");
  EXPECT_EQ(config.broker.url, "sqlite:/var/lib/iq/q.db");
  EXPECT_EQ(config.store.url, "postgresql://h");
  EXPECT_EQ(config.locks.url, "local:");
  EXPECT_NO_THROW(RequireUrls(config));
}

TEST(Config, UrlsThatAreNotSetAreNamedWithTheirVariable) {
  const Config config = LoadYaml("store: {url: ''}\nlocks: {url: 'redis://l'}\n");
  EXPECT_EQ(config.store.url, "");
  try {
    RequireUrls(config);
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_STREQ(
        e.what(),
        "broker.url: not set, but locks.url is; set IQ_BROKER_URL, for instance to "
        "amqp://guest:guest@127.0.0.1:5672/%2F, or none of the three URLs to run embedded\n"
        "store.url: not set, but locks.url is; set IQ_STORE_URL, for instance to "
        "postgresql://iq:iq@127.0.0.1:5432/iq, or none of the three URLs to run embedded");
  }
}

TEST(Config, KeysThatAreEmptyDoNotCount) {
  const Variable set("IQ_TEST_SET", "new");
  const Variable empty("IQ_TEST_EMPTY", "");
  EXPECT_THAT(LoadYaml("security: {keys: [\"${IQ_TEST_SET}\", '', \"${IQ_TEST_EMPTY}\", old]}\n")
                  .security.keys,
              ElementsAre("new", "old"));
  EXPECT_THAT(LoadYaml("security:\n  keys:\n  -\n  - ${IQ_TEST_EMPTY:-}\n").security.keys,
              IsEmpty());
  EXPECT_THAT(LoadYaml("security: {keys: []}\n").security.keys, IsEmpty());
}

TEST(Config, TokensWithoutASumDoNotCount) {
  const Variable empty("IQ_TEST_EMPTY", "");
  const std::string sum = kSum;
  std::string upper = sum;
  for (char& c : upper) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  const Config config = LoadYaml(
      "admin:\n  tokens:\n"
      "  - {name: a.b_C-1, sha256: " +
      upper +
      "}\n"
      "  - {name: none, sha256: ''}\n"
      "  - {name: unset, sha256: \"${IQ_TEST_EMPTY}\", may: write}\n"
      "  - {name: last, sha256: " +
      sum + ", may: write}\n");
  ASSERT_EQ(config.admin.tokens.size(), 2U);
  EXPECT_EQ(config.admin.tokens[0].name, "a.b_C-1");
  EXPECT_EQ(config.admin.tokens[0].sha256, sum);
  EXPECT_EQ(config.admin.tokens[0].may, AdminToken::May::kRead);
  EXPECT_EQ(config.admin.tokens[1].name, "last");
  EXPECT_EQ(config.admin.tokens[1].may, AdminToken::May::kWrite);
  EXPECT_THAT(LoadYaml("admin: {tokens: []}\n").admin.tokens, IsEmpty());
}

TEST(Config, ABatchThatIsNotWrittenFitsTwiceIntoThePrefetch) {
  EXPECT_EQ(LoadYaml("consumers: [{prefetch: 300}]\n").consumers[0].batch, 150U);
  EXPECT_EQ(LoadYaml("consumers: [{prefetch: 5000}]\n").consumers[0].batch, 256U);
}

TEST(Config, ReadsEveryKindOfValue) {
  const Config config = LoadYaml(R"(
broker: {url: "amqps://h", publish_patience: 250ms}
store: {url: "postgres://h"}
locks: {lease: 1h, wait: 0s, on_busy: reject}
consumers:
  - {exchange: e, queue: q, queue_type: classic, workers: 64, prefetch: 2000, batch: 1000}
  - queue: r
retry: {attempts: 1000, delays: [1ms, 5m, 1d]}
inbox: {require_id: true}
journal: {keep: 12h}
security: {require_signature: true, keys: [a, "b c"]}
limits: {message: 1MiB, deadline: 10m}
admin: {listen: off, console: '[::1]:0', show_bodies: false}
log: {level: error, format: json}
)");
  EXPECT_EQ(config.admin.listen, AdminConfig::kOff);
  EXPECT_EQ(config.admin.console, "[::1]:0");
  EXPECT_FALSE(config.admin.show_bodies);
  EXPECT_EQ(config.broker.url, "amqps://h");
  EXPECT_EQ(config.broker.publish_patience, 250ms);
  EXPECT_EQ(config.store.url, "postgres://h");
  EXPECT_EQ(config.locks.lease, 1h);
  EXPECT_EQ(config.locks.wait, 0ms);
  EXPECT_EQ(config.locks.on_busy, LocksConfig::OnBusy::kReject);
  ASSERT_EQ(config.consumers.size(), 2U);
  EXPECT_EQ(config.consumers[0].queue_type, ConsumerConfig::QueueType::kClassic);
  EXPECT_EQ(config.consumers[0].workers, 64U);
  EXPECT_EQ(config.consumers[0].prefetch, 2000U);
  EXPECT_EQ(config.consumers[0].batch, 1000U);
  EXPECT_EQ(config.consumers[1].exchange, "billing");
  EXPECT_EQ(config.consumers[1].queue, "r");
  EXPECT_THAT(config.retry.delays, ElementsAre(1ms, 5min, 24h));
  EXPECT_TRUE(config.inbox.require_id);
  EXPECT_EQ(config.journal.keep, 12h);
  EXPECT_TRUE(config.security.require_signature);
  EXPECT_THAT(config.security.keys, ElementsAre("a", "b c"));
  EXPECT_EQ(config.limits.message, 1024U * 1024U);
  EXPECT_EQ(config.log.level, LogConfig::Level::kError);
  EXPECT_EQ(config.log.format, LogConfig::Format::kJson);
}

TEST(Config, SettingsAreFlattenedToText) {
  const Config config = LoadYaml(R"(
plugins:
  settings:
    fees:
      rate: 0.5
      on: true
      none:
      tiers: [{from: 1, name: "a b"}, 20]
      a.b: dotted
)");
  EXPECT_THAT(config.plugins.settings.at("fees"),
              UnorderedElementsAre(Pair("rate", "0.5"), Pair("on", "true"), Pair("none", ""),
                                   Pair("tiers.0.from", "1"), Pair("tiers.0.name", "a b"),
                                   Pair("tiers.1", "20"), Pair("a.b", "dotted")));
}

TEST(Config, ExpandsTheEnvironment) {
  const Variable set("IQ_TEST_SET", "v${IQ_TEST_UNSET}");
  const Variable empty("IQ_TEST_EMPTY", "");
  const Variable unset("IQ_TEST_UNSET", nullptr);
  const Config config = LoadYaml(R"(
plugins:
  settings:
    x:
      a: <${IQ_TEST_SET}|${IQ_TEST_SET:-no}>
      b: <${IQ_TEST_EMPTY}|${IQ_TEST_EMPTY:-d}>
      c: <${IQ_TEST_UNSET:-}|${IQ_TEST_UNSET:-a:-b}>
      d: <$${IQ_TEST_SET}|$5|$$|}>
)");
  EXPECT_THAT(config.plugins.settings.at("x"),
              ElementsAre(Pair("a", "<v${IQ_TEST_UNSET}|v${IQ_TEST_UNSET}>"), Pair("b", "<|d>"),
                          Pair("c", "<|a:-b>"), Pair("d", "<${IQ_TEST_SET}|$5|$$|}>")));
}

Config Unusual() {
  Config config;
  config.broker = {.url = "amqps://h/%2F", .publish_patience = 1500ms};
  config.store.url = "postgresql://h/db?sslmode=verify-full";
  config.locks = {
      .url = "redis://h:1", .lease = 31min, .wait = 0ms, .on_busy = LocksConfig::OnBusy::kRequeue};
  config.plugins.directory = "a dir/${x}: #1";
  config.plugins.settings["odd"] = {{"empty", ""},           {"null", "null"},
                                    {"tilde", "~"},          {"flag", "true"},
                                    {"number", "007"},       {"lines", "a\nb\n\n c\t"},
                                    {"quotes", "\"'\\"},     {"dollars", "$${X} ${Y} $$${Z}"},
                                    {"list.0", "- x"},       {"unicode", "grün €𝄞"},
                                    {"control", "\x01\x1b"}, {"- key: ", "# value"}};
  config.consumers = {ConsumerConfig{},
                      ConsumerConfig{.exchange = "1",
                                     .queue = "true",
                                     .queue_type = ConsumerConfig::QueueType::kClassic,
                                     .workers = 3,
                                     .prefetch = 2,
                                     .batch = 1}};
  config.events = {.exchange = "x", .source = "~", .sweep_after = 90s};
  config.retry = {.attempts = 1, .delays = {1ms}};
  config.dead_letter.queue = "null";
  config.inbox.require_id = true;
  config.journal.keep = 25h;
  config.security = {.require_signature = true, .keys = {"a", "b"}};
  config.limits = {.message = 1025, .deadline = 30min / 3, .shutdown = 1s};
  config.admin.listen = AdminConfig::kOff;
  config.admin.console = "[::1]:0";
  config.admin.show_bodies = false;
  config.log = {.level = LogConfig::Level::kDebug, .format = LogConfig::Format::kText};
  return config;
}

TEST(ConfigPrint, YamlIsReadBackAsItWas) {
  for (const Config& config : {Config{}, Unusual()}) {
    const std::string yaml = ConfigAsYaml(config);
    const Config loaded = LoadYaml(yaml);
    EXPECT_EQ(ConfigAsJson(loaded), ConfigAsJson(config)) << yaml;
    EXPECT_EQ(loaded.plugins.settings, config.plugins.settings) << yaml;
  }
}

TEST(ConfigPrint, JsonHoldsNumbersFlagsAndTextsAsTheFileWritesThem) {
  const auto json = nlohmann::json::parse(ConfigAsJson(Config{}));
  EXPECT_EQ(json.at("broker").at("publish_patience"), "5s");
  EXPECT_EQ(json.at("consumers").at(0).at("workers"), 1);
  EXPECT_EQ(json.at("retry").at("delays"), nlohmann::json({"1s", "5s", "30s"}));
  EXPECT_EQ(json.at("inbox").at("require_id"), false);
  EXPECT_EQ(json.at("limits").at("message"), "256KiB");
  EXPECT_EQ(json.at("journal").at("keep"), "7d");
  EXPECT_EQ(json.at("locks").at("on_busy"), "retry");
}

TEST(ConfigPrint, SecretsAreMasked) {
  Config config;
  config.broker.url = "amqp://user:hunter2@h:1/v";
  config.store.url = "postgresql://h/db?user=u&password=hunter2";
  config.locks.url = "redis://:hunter2@h";
  config.security.keys = {"hunter2", "hunter22"};
  config.admin.tokens = {{"operator", "hunter2", AdminToken::May::kWrite}};
  config.plugins.settings["x"] = {{"DB_Password", "hunter2"},
                                  {"auth.token", "hunter2"},
                                  {"url", "https://u:hunter2@h"},
                                  {"plain", "shown"}};
  for (const std::string& text : {ConfigAsYaml(config), ConfigAsJson(config)}) {
    EXPECT_THAT(text, AllOf(Not(HasSubstr("hunter2")), HasSubstr("amqp://user:***@h:1/v"),
                            HasSubstr("redis://:***@h"), HasSubstr("shown")));
  }
  const auto json = nlohmann::json::parse(ConfigAsJson(config));
  EXPECT_EQ(json.at("security").at("keys"), nlohmann::json({"***", "***"}));
  EXPECT_EQ(json.at("admin").at("tokens").at(0),
            nlohmann::json({{"name", "operator"}, {"sha256", "***"}, {"may", "write"}}));
}

TEST(ConfigPrint, MaskPasswordLeavesNothingOfThePassword) {
  EXPECT_EQ(MaskPassword("amqp://u:p@h:5672/%2F"), "amqp://u:***@h:5672/%2F");
  EXPECT_EQ(MaskPassword("redis://:p@h"), "redis://:***@h");
  EXPECT_EQ(MaskPassword("amqp://u:p@q/r?s#t@h/v"), "amqp://u:***@h/v");
  EXPECT_EQ(MaskPassword("postgresql://h/d?password=a&x=1"), "postgresql://h/d?password=***&x=1");
  EXPECT_EQ(MaskPassword("postgresql://h/d?x=1&password=a"), "postgresql://h/d?x=1&password=***");
  EXPECT_EQ(MaskPassword("postgresql://u@h:5432/d"), "postgresql://u@h:5432/d");
  EXPECT_EQ(MaskPassword("redis://h:6379"), "redis://h:6379");
  EXPECT_EQ(MaskPassword("not a url"), "not a url");
  EXPECT_EQ(MaskPassword(""), "");
}

}  // namespace
}  // namespace iq
