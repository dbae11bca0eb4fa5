#include "host/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>
#include <system_error>

#include "host/base/error.h"
#include "host/config_reader.h"
#include "host/config_text.h"
#include "host/config_visitor.h"

namespace iq {
namespace {

std::string ReadWhole(const std::string& path) {
  const auto refuse = [&path](int error_number) {
    throw UsageError(
        fmt::format("{}: cannot be read: {}; name the configuration with --config FILE", path,
                    std::generic_category().message(error_number)));
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) refuse(errno);
  (void)file.peek();  // A directory opens and only fails to be read.
  if (file.bad()) refuse(errno);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return text;
}

YAML::Node Parse(const std::string& path) {
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(ReadWhole(path));
  } catch (const YAML::Exception& e) {
    throw UsageError(fmt::format("{}:{}: not YAML: {}", path, e.mark.line + 1, e.msg));
  }
  if (documents.size() > 1) {
    throw UsageError(fmt::format("{}:{}: a second document; the configuration is one, without ---",
                                 path, documents[1].Mark().line + 1));
  }
  return documents.empty() ? YAML::Node() : documents[0];
}

std::optional<std::string> FromEnvironment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): at start
  if (value == nullptr) return std::nullopt;
  return value;
}

void CheckConsumers(const Config& config, ConfigReader& reader) {
  std::set<std::string> queues;
  for (std::size_t i = 0; i < config.consumers.size(); ++i) {
    const ConsumerConfig& consumer = config.consumers[i];
    const std::string path = fmt::format("consumers[{}]", i);
    const std::uint32_t least = 2 * consumer.batch;
    if (consumer.prefetch < least && !reader.IsWrong(path + ".batch") &&
        !reader.IsWrong(path + ".prefetch")) {
      reader.Wrong(path + ".prefetch",
                   fmt::format("{} is less than twice the batch of {}, so that workers would wait "
                               "for deliveries; write {} to 65535",
                               consumer.prefetch, consumer.batch, least));
    }
    if (!queues.insert(consumer.queue).second) {
      reader.Wrong(path + ".queue",
                   fmt::format("another consumer has the queue {} already; raise its workers "
                               "instead",
                               consumer.queue));
    }
    if (consumer.queue == config.dead_letter.queue) {
      reader.Wrong(path + ".queue",
                   "the same as dead_letter.queue, so that what failed would come back; name two");
    }
    if (consumer.exchange == config.events.exchange) {
      reader.Wrong(path + ".exchange",
                   "the same as events.exchange, which is of another type; name two");
    }
  }
}

void CheckLease(const Config& config, ConfigReader& reader) {
  if (reader.IsWrong("locks.lease") || reader.IsWrong("limits.deadline")) return;
  if (config.locks.lease > config.limits.deadline) return;
  reader.Wrong("locks.lease",
               fmt::format("{0} does not outlast a handler, which may run for {1} "
                           "(limits.deadline); write more than {1}",
                           DurationText(config.locks.lease), DurationText(config.limits.deadline)));
}

void CheckSecurity(const Config& config, ConfigReader& reader) {
  if (!config.security.require_signature || !config.security.keys.empty()) return;
  if (reader.IsWrong("security.keys")) return;
  reader.Wrong("security.require_signature",
               "true without a key, so that every message would be refused; put a secret into "
               "security.keys, or set the environment variable that is named there");
}

// `otherwise`: what may stand there instead of an address.
void CheckAddress(const std::string& key, const std::string& address, const std::string& usual,
                  std::string_view otherwise, ConfigReader& reader) {
  if (ParseHostAndPort(address) || reader.IsWrong(key)) return;
  reader.Wrong(key,
               fmt::format("\"{}\"; write HOST:PORT, for instance {}, with port 0 for any that "
                           "is free{}",
                           address, usual, otherwise));
}

void CheckAdmin(const AdminConfig& admin, ConfigReader& reader) {
  if (admin.listen != AdminConfig::kOff) {
    CheckAddress("admin.listen", admin.listen, AdminConfig{}.listen, ", or off", reader);
  }
  CheckAddress("admin.console", admin.console, AdminConfig{}.console, "", reader);
}

// All three or none: a default for one of them could move money to where nobody looks.
void DefaultUrls(Config& config) {
  const bool any_set =
      !config.broker.url.empty() || !config.store.url.empty() || !config.locks.url.empty();
  if (any_set) return;
  config.broker.url = BrokerConfig{}.url;
  config.store.url = StoreConfig{}.url;
  config.locks.url = LocksConfig{}.url;
}

}  // namespace

Config LoadConfig(const std::string& path) {
  ConfigReader reader(Parse(path), FromEnvironment);
  Config config;
  config.broker.url.clear();
  config.store.url.clear();
  config.locks.url.clear();
  VisitConfig(reader, config);
  reader.Finish();
  CheckConsumers(config, reader);
  CheckLease(config, reader);
  CheckSecurity(config, reader);
  CheckAdmin(config.admin, reader);
  DefaultUrls(config);

  std::string mistakes;
  for (const std::string& mistake : reader.Mistakes()) {
    mistakes += fmt::format("{}{}:{}", mistakes.empty() ? "" : "\n", path, mistake);
  }
  if (!mistakes.empty()) throw UsageError(mistakes);
  return config;
}

void RequireUrls(const Config& config) {
  struct Url {
    std::string_view key;
    const std::string& url;
    const UrlKind& kind;
  };
  const std::array<Url, 3> urls{{{"broker.url", config.broker.url, BrokerUrl()},
                                 {"store.url", config.store.url, StoreUrl()},
                                 {"locks.url", config.locks.url, LocksUrl()}}};
  const auto set =
      std::find_if(urls.begin(), urls.end(), [](const Url& each) { return !each.url.empty(); });
  std::string missing;
  for (const auto& [key, url, kind] : urls) {
    if (!url.empty()) continue;
    missing += fmt::format(
        "{}{}: not set{}; set {}, for instance to {}, or none of the three URLs to run embedded",
        missing.empty() ? "" : "\n", key,
        set == urls.end() ? "" : fmt::format(", but {} is", set->key), kind.variable, kind.example);
  }
  if (!missing.empty()) throw UsageError(missing);
}

}  // namespace iq
