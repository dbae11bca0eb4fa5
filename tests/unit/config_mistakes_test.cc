// What LoadConfig says of a file that is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "host/base/error.h"
#include "host/config.h"
#include "tests/unit/config_file.h"

namespace iq {
namespace {

using test::LoadYaml;
using test::Variable;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// What LoadConfig has against `yaml`.
std::string Complaint(const std::string& yaml) {
  try {
    LoadYaml(yaml);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "no complaint";
}

struct Broken {
  const char* yaml;
  const char* complaint;  // A part of it that begins with the file.
};

void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.yaml; }

class BrokenConfig : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenConfig, IsRefusedWithLineAndMend) {
  const Variable unset("IQ_TEST_UNSET", nullptr);
  EXPECT_THAT(Complaint(GetParam().yaml), HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Document, BrokenConfig,
    ::testing::Values(
        Broken{"log: [\n", "config.yaml:2: not YAML: "},
        Broken{"log:\n\tlevel: info\n", "config.yaml:2: not YAML: "},
        Broken{"- log\n", "config.yaml:1: not a list of sections; write SECTION: and its keys"},
        Broken{"words\n", "config.yaml:1: not a list of sections"},
        Broken{"log: {}\n---\nlog: {}\n", "config.yaml:3: a second document; "},
        Broken{"log: {}\n? [a, b]\n: 1\n", "config.yaml:2: a key that is not a word"},
        Broken{"\nlog: 1\n", "config.yaml:2: log: has a value of its own; put its keys below it"},
        Broken{"log:\n  - level: info\n", "config.yaml:1: log: has a value of its own"}));

INSTANTIATE_TEST_SUITE_P(
    Listen, BrokenConfig,
    ::testing::Values(
        Broken{"admin: {listen: ''}\n", "config.yaml:1: admin.listen: empty; "},
        Broken{"admin: {listen: 9400}\n", "admin.listen: \"9400\"; write HOST:PORT, for instance "},
        Broken{"admin: {listen: ':9400'}\n", "admin.listen: \":9400\"; write HOST:PORT"},
        Broken{"admin: {listen: '127.0.0.1:'}\n", "admin.listen: \"127.0.0.1:\"; write"},
        Broken{"admin: {listen: '127.0.0.1:65536'}\n", "admin.listen: \"127.0.0.1:65536\"; write"},
        Broken{"admin: {listen: '::1:9400'}\n", "admin.listen: \"::1:9400\"; write"},
        Broken{"admin: {listen: '[::1]:9400', port: 1}\n", "admin.port: unknown"},
        Broken{"admin: {listen: x}\n", "with port 0 for any that is free, or off"},
        Broken{"admin:\n  console: off\n",
               "config.yaml:2: admin.console: \"off\"; write HOST:PORT, for instance "
               "127.0.0.1:8080, with port 0 for any that is free"},
        Broken{"admin: {show_bodies: 1}\n", "admin.show_bodies: \"1\"; write true or false"}));

INSTANTIATE_TEST_SUITE_P(
    Tokens, BrokenConfig,
    ::testing::Values(
        Broken{"admin: {tokens: secret}\n",
               "config.yaml:1: admin.tokens: not a list of tokens; write each after \"- \""},
        Broken{"admin:\n  tokens:\n  - secret\n",
               "config.yaml:3: admin.tokens[0]: has a value of its own; put its keys below it"},
        Broken{"admin:\n  tokens:\n  - sha256: ''\n",
               "config.yaml:3: admin.tokens[0].name: not there; write 1 to 64 letters"},
        Broken{"admin:\n  tokens:\n  - {name: '', sha256: ''}\n",
               "config.yaml:3: admin.tokens[0].name: \"\"; write 1 to 64 letters"},
        Broken{"admin:\n  tokens:\n  - {name: a b, sha256: ''}\n",
               "config.yaml:3: admin.tokens[0].name: \"a b\"; write 1 to 64 letters"},
        Broken{"admin:\n  tokens:\n  - name: a\n",
               "config.yaml:3: admin.tokens[0].sha256: not there; write the 64 hexadecimal digits "
               "that `iq token` prints"},
        Broken{"admin:\n  tokens:\n  - name: a\n    sha256: abc\n",
               "config.yaml:4: admin.tokens[0].sha256: not a SHA-256 sum; write the 64"},
        Broken{"admin:\n  tokens:\n  - {name: a, sha256: '', may: act}\n",
               "config.yaml:3: admin.tokens[0].may: \"act\"; write one of read, write"},
        Broken{"admin:\n  tokens:\n  - {name: a, sha256: '', can: act}\n",
               "config.yaml:3: admin.tokens[0].can: unknown key; "},
        Broken{"admin:\n  tokens:\n  - {name: a, sha256: ''}\n  - {name: a, sha256: ''}\n",
               "config.yaml:4: admin.tokens[1].name: another token has the name a already"}));

INSTANTIATE_TEST_SUITE_P(
    Key, BrokenConfig,
    ::testing::Values(
        Broken{"retry:\n  attemps: 3\n",
               "config.yaml:2: retry.attemps: unknown key; did you mean attempts?"},
        Broken{"\nbrokr: {}\n", "config.yaml:2: brokr: unknown key; did you mean broker?"},
        Broken{"locks:\n  colour: red\n",
               "config.yaml:2: locks.colour: unknown key; there are url, lease, wait, on_busy"},
        Broken{"consumers:\n  - queue: q\n    worker: 1\n",
               "config.yaml:3: consumers[0].worker: unknown key; did you mean workers?"},
        Broken{"Log: {}\n", "config.yaml:1: Log: unknown key; did you mean log?"},
        Broken{"log:\n  level: info\n  level: info\n",
               "config.yaml:3: log.level: a second time; line 2 has it already"},
        Broken{"log: {}\nretry: {}\nlog: {}\n",
               "config.yaml:3: log: a second time; line 1 has it already"},
        Broken{"consumers:\n- queue: a\n  queue: b\n",
               "config.yaml:3: consumers[0].queue: a second time; line 2 has it already"}));

INSTANTIATE_TEST_SUITE_P(
    Count, BrokenConfig,
    ::testing::Values(
        Broken{"consumers:\n- workers: 0\n",
               "config.yaml:2: consumers[0].workers: \"0\"; write a whole number from 1 to 64"},
        Broken{"consumers:\n- workers: 65\n", "config.yaml:2: consumers[0].workers: \"65\"; "},
        Broken{"consumers:\n- workers: -1\n", "config.yaml:2: consumers[0].workers: \"-1\"; "},
        Broken{"consumers:\n- workers: 2.5\n", "config.yaml:2: consumers[0].workers: \"2.5\"; "},
        Broken{"consumers:\n- workers: 0x10\n", "config.yaml:2: consumers[0].workers: \"0x10\"; "},
        Broken{"consumers:\n- workers: 4294967297\n", "consumers[0].workers: \"4294967297\"; "},
        Broken{"consumers:\n- workers:\n", "config.yaml:2: consumers[0].workers: \"\"; "},
        Broken{"consumers:\n- workers: [1]\n",
               "config.yaml:2: consumers[0].workers: has keys or a list below it; write a whole"},
        Broken{"consumers:\n- batch: 0\n",
               "config.yaml:2: consumers[0].batch: \"0\"; write a whole number from 1 to 1000"},
        Broken{"consumers:\n- batch: 1001\n  prefetch: 3000\n", "consumers[0].batch: \"1001\"; "},
        Broken{"consumers:\n- prefetch: 65536\n",
               "config.yaml:2: consumers[0].prefetch: \"65536\""},
        Broken{"consumers:\n- batch: 100\n  prefetch: 199\n",
               "config.yaml:3: consumers[0].prefetch: 199 is less than twice the batch of 100, so "
               "that workers would wait for deliveries; write 200 to 65535"},
        Broken{"consumers:\n- queue: a\n- queue: b\n  batch: 600\n",
               "config.yaml:3: consumers[1].prefetch: 1024 is less than twice the batch of 600"},
        Broken{"retry: {attempts: 0}\n",
               "config.yaml:1: retry.attempts: \"0\"; write a whole number from 1 to 1000"},
        Broken{"retry: {attempts: 1001}\n", "config.yaml:1: retry.attempts: \"1001\"; "}));

INSTANTIATE_TEST_SUITE_P(
    Duration, BrokenConfig,
    ::testing::Values(
        Broken{"retry:\n  delays: []\n",
               "config.yaml:2: retry.delays: not a list of durations; write at least one"},
        Broken{"retry:\n  delays: 1s\n", "config.yaml:2: retry.delays: not a list of durations"},
        Broken{"retry:\n  delays:\n  - 1s\n  - 0ms\n",
               "config.yaml:4: retry.delays[1]: \"0ms\"; write a duration from 1ms to 1d"},
        Broken{"retry:\n  delays: [25h]\n", "config.yaml:2: retry.delays[0]: \"25h\"; "},
        Broken{"journal: {keep: 59m}\n",
               "config.yaml:1: journal.keep: \"59m\"; write a duration from 1h to 3650d"},
        Broken{"journal: {keep: 3651d}\n", "config.yaml:1: journal.keep: \"3651d\"; "},
        Broken{"journal: {keep: 7}\n", "config.yaml:1: journal.keep: \"7\"; "},
        Broken{"journal: {keep: 7 d}\n", "config.yaml:1: journal.keep: \"7 d\"; "},
        Broken{"journal: {keep: 1w}\n", "config.yaml:1: journal.keep: \"1w\"; "},
        Broken{"journal: {keep: d}\n", "config.yaml:1: journal.keep: \"d\"; "},
        Broken{"journal: {keep: -7d}\n", "config.yaml:1: journal.keep: \"-7d\"; "},
        Broken{"journal: {keep: 213503982335d}\n", "journal.keep: \"213503982335d\"; "},
        Broken{"limits: {deadline: 99ms}\n",
               "config.yaml:1: limits.deadline: \"99ms\"; write a duration from 100ms to 10m"},
        Broken{"limits: {deadline: 601s}\n", "config.yaml:1: limits.deadline: \"601s\"; "},
        Broken{"limits: {shutdown: 500ms}\n",
               "config.yaml:1: limits.shutdown: \"500ms\"; write a duration from 1s to 10m"},
        Broken{"locks: {wait: 301s}\n",
               "config.yaml:1: locks.wait: \"301s\"; write a duration from 0s to 5m"},
        Broken{"events: {sweep_after: 4s}\n",
               "config.yaml:1: events.sweep_after: \"4s\"; write a duration from 5s to 1d"},
        Broken{"broker: {publish_patience: 99ms}\n",
               "config.yaml:1: broker.publish_patience: \"99ms\"; write a duration from 100ms"},
        Broken{"locks:\n  lease: 10s\n",
               "config.yaml:2: locks.lease: 10s does not outlast a handler, which may run for 10s "
               "(limits.deadline); write more than 10s"},
        Broken{"limits:\n  deadline: 1m\n",
               "config.yaml:1: locks.lease: 30s does not outlast a handler, which may run for 1m"},
        Broken{"locks: {lease: 2h}\n", "config.yaml:1: locks.lease: \"2h\"; "}));

INSTANTIATE_TEST_SUITE_P(
    Text, BrokenConfig,
    ::testing::Values(
        Broken{"limits: {message: 1023B}\n",
               "config.yaml:1: limits.message: \"1023B\"; write a size from 1KiB to 16MiB"},
        Broken{"limits: {message: 17MiB}\n", "config.yaml:1: limits.message: \"17MiB\"; "},
        Broken{"limits: {message: 64KB}\n", "config.yaml:1: limits.message: \"64KB\"; "},
        Broken{"limits: {message: 65536}\n", "config.yaml:1: limits.message: \"65536\"; "},
        Broken{"inbox: {require_id: yes}\n",
               "config.yaml:1: inbox.require_id: \"yes\"; write true or false"},
        Broken{"locks: {on_busy: wait}\n",
               "config.yaml:1: locks.on_busy: \"wait\"; write one of retry, requeue, reject"},
        Broken{"consumers: [queue_type: lazy]\n",
               "config.yaml:1: consumers[0].queue_type: \"lazy\"; write one of quorum, classic"},
        Broken{"log: {level: warning}\n",
               "config.yaml:1: log.level: \"warning\"; write one of debug, info, warn, error"},
        Broken{"log: {format: xml}\n",
               "config.yaml:1: log.format: \"xml\"; write one of auto, text, json"},
        Broken{"dead_letter: {queue: ''}\n",
               "config.yaml:1: dead_letter.queue: empty; write a text of 1 to 255 bytes"},
        Broken{"events: {source: }\n", "config.yaml:1: events.source: empty; "},
        Broken{"plugins: {directory: ''}\n", "config.yaml:1: plugins.directory: empty; "},
        Broken{"events: {exchange: {name: x}}\n",
               "config.yaml:1: events.exchange: has keys or a list below it; "},
        Broken{"log: {level: \"a\\nb\"}\n", "config.yaml:1: log.level: \"a?b\"; "}));

INSTANTIATE_TEST_SUITE_P(
    Consumers, BrokenConfig,
    ::testing::Values(
        Broken{"consumers: []\n",
               "config.yaml:1: consumers: not a list of consumers; write at least one"},
        Broken{"consumers:\n", "config.yaml:1: consumers: not a list of consumers"},
        Broken{"consumers:\n  queue: a\n", "config.yaml:1: consumers: not a list of consumers"},
        Broken{"consumers:\n- billing\n", "config.yaml:2: consumers[0]: has a value of its own"},
        Broken{"consumers:\n- queue: a\n- queue: b\n- queue: a\n",
               "config.yaml:4: consumers[2].queue: another consumer has the queue a already"},
        Broken{"consumers:\n- queue: billing.dead\n",
               "config.yaml:2: consumers[0].queue: the same as dead_letter.queue"},
        Broken{"events: {exchange: billing}\n",
               "config.yaml:1: consumers[0].exchange: the same as events.exchange"}));

INSTANTIATE_TEST_SUITE_P(
    Environment, BrokenConfig,
    ::testing::Values(
        Broken{"log:\n  level: ${IQ_TEST_UNSET}\n",
               "config.yaml:2: log.level: the environment has no IQ_TEST_UNSET; set it, or write "
               "${IQ_TEST_UNSET:-default} here"},
        Broken{"log: {level: \"${IQ_TEST_UNSET\"}\n", "config.yaml:1: log.level: a ${ has no }"},
        Broken{"log: {level: \"${1A}\"}\n",
               "config.yaml:1: log.level: ${1A} names no variable; write ${NAME}"},
        Broken{"log: {level: \"${}\"}\n", "config.yaml:1: log.level: ${} names no variable"},
        Broken{"log: {level: \"${IQ_TEST_UNSET-x}\"}\n", "${IQ_TEST_UNSET-x} names no variable"},
        Broken{"plugins:\n  settings:\n    x:\n      y: [1, \"${IQ_TEST_UNSET}\"]\n",
               "config.yaml:4: plugins.settings.x.y.1: the environment has no IQ_TEST_UNSET"}));

INSTANTIATE_TEST_SUITE_P(
    Settings, BrokenConfig,
    ::testing::Values(
        Broken{"plugins:\n  settings: 1\n",
               "config.yaml:2: plugins.settings: has a value of its own"},
        Broken{
            "plugins:\n  allow: 1\n",
            "config.yaml:2: plugins.allow: not a list; write SHA-256 sums, as `sha256sum` prints"},
        Broken{"plugins:\n  allow:\n  - abc\n",
               "config.yaml:3: plugins.allow[0]: \"abc\"; write SHA-256 sums"},
        Broken{"plugins:\n  settings:\n    income: true\n",
               "config.yaml:3: plugins.settings.income: has a value of its own"},
        Broken{"plugins:\n  settings:\n    x:\n      y: 1\n      y: 2\n",
               "config.yaml:5: plugins.settings.x.y: a second time; line 4 has it already"},
        Broken{"plugins:\n  settings:\n    x:\n      y.z: 1\n      y: {z: 2}\n",
               "config.yaml:4: plugins.settings.x.y.z: a second time; another spelling"},
        Broken{"plugins:\n  settings:\n    x: &x\n      y: *x\n",
               "config.yaml:4: plugins.settings.x.y.y"}));

INSTANTIATE_TEST_SUITE_P(
    Url, BrokenConfig,
    ::testing::Values(
        Broken{"broker:\n  url: http://x\n",
               "config.yaml:2: broker.url: a URL of a kind that is not supported here; set "
               "IQ_BROKER_URL to amqp://… or amqps://… or sqlite:…, for instance "
               "amqp://guest:guest@127.0.0.1:5672/%2F"},
        Broken{"store:\n  url: mysql://x\n",
               "config.yaml:2: store.url: a URL of a kind that is not supported here; set "
               "IQ_STORE_URL to postgresql://… or postgres://… or sqlite:…, for instance "
               "postgresql://"},
        Broken{"locks:\n  url: localhost:6379\n",
               "config.yaml:2: locks.url: a URL of a kind that is not supported here; set "
               "IQ_LOCKS_URL to redis://… or local:…, for instance redis://127.0.0.1:6379"}));

INSTANTIATE_TEST_SUITE_P(
    Security, BrokenConfig,
    ::testing::Values(
        Broken{"security:\n  require_signature: true\n",
               "config.yaml:2: security.require_signature: true without a key, so that every "
               "message would be refused; put a secret into security.keys"},
        Broken{"security:\n  keys: ['', \"${IQ_TEST_UNSET:-}\"]\n  require_signature: true\n",
               "config.yaml:3: security.require_signature: true without a key"},
        Broken{"security:\n  keys: word\n",
               "config.yaml:2: security.keys: not a list of secrets; write each after \"- \""},
        Broken{"security:\n  keys:\n", "config.yaml:2: security.keys: not a list of secrets"},
        Broken{"security:\n  keys:\n  - a: b\n",
               "config.yaml:3: security.keys[0]: has keys or a list below it; write one secret"},
        Broken{"security:\n  keys:\n  - a\n  - ${IQ_TEST_UNSET}\n",
               "config.yaml:4: security.keys[1]: the environment has no IQ_TEST_UNSET; set it"},
        Broken{"security: {key: a}\n",
               "config.yaml:1: security.key: unknown key; did you mean keys?"}));

TEST(Config, AKeyListThatIsWrongIsNotToldTwice) {
  EXPECT_EQ(Complaint("security: {require_signature: true, keys: 5}\n"),
            "config.yaml:1: security.keys: not a list of secrets; write each after \"- \", or [] "
            "for none");
}

TEST(Config, EveryMistakeIsListedInTheOrderOfTheFile) {
  EXPECT_EQ(Complaint("log:\n  level: loud\nretry:\n  attempts: 0\n  delay: 1s\nbroker: 3\n"),
            "config.yaml:2: log.level: \"loud\"; write one of debug, info, warn, error\n"
            "config.yaml:4: retry.attempts: \"0\"; write a whole number from 1 to 1000\n"
            "config.yaml:5: retry.delay: unknown key; did you mean delays?\n"
            "config.yaml:6: broker: has a value of its own; put its keys below it, indented");
}

TEST(Config, ASecretIsNotRepeated) {
  EXPECT_THAT(Complaint("broker: {url: 'htp://u:hunter2@h'}\n"),
              AllOf(HasSubstr("broker.url"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(Complaint("security: {keys: hunter2}\n"),
              AllOf(HasSubstr("security.keys"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(Complaint("admin: {tokens: [{name: a, sha256: hunter2}]}\n"),
              AllOf(HasSubstr("admin.tokens[0].sha256"), Not(HasSubstr("hunter2"))));
}

}  // namespace
}  // namespace iq
