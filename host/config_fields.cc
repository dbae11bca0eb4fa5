// Every key of the configuration file: its name, its place and what it may be.
#include <algorithm>
#include <array>

#include "host/config_visitor.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kNameBytesMax = 255;  // AMQP's short string.
constexpr std::size_t kPathBytesMax = 4095;
constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;
constexpr std::chrono::milliseconds kDay = 24h;

constexpr std::array<std::string_view, 2> kMay{"read", "write"};
constexpr std::array<std::string_view, 3> kOnBusy{"retry", "requeue", "reject"};
constexpr std::array<std::string_view, 2> kQueueTypes{"quorum", "classic"};
constexpr std::array<std::string_view, 4> kLogLevels{"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 3> kLogFormats{"auto", "text", "json"};

void VisitServers(ConfigVisitor& v, Config& config) {
  v.Section("broker", [&] {
    v.Url("url", config.broker.url, BrokerUrl());
    v.Duration("publish_patience", config.broker.publish_patience, 100ms, 1h);
  });
  v.Section("store", [&] { v.Url("url", config.store.url, StoreUrl()); });
  v.Section("locks", [&] {
    v.Url("url", config.locks.url, LocksUrl());
    v.Duration("lease", config.locks.lease, 200ms, 1h);
    v.Duration("wait", config.locks.wait, 0ms, 5min);
    v.Choice("on_busy", config.locks.on_busy, kOnBusy);
  });
}

void VisitConsumer(ConfigVisitor& v, ConsumerConfig& consumer) {
  v.Text("exchange", consumer.exchange, kNameBytesMax);
  v.Text("queue", consumer.queue, kNameBytesMax);
  v.Choice("queue_type", consumer.queue_type, kQueueTypes);
  v.Count("workers", consumer.workers, 1, 64);
  // That it is at least twice the batch is checked once both are known.
  v.Count("prefetch", consumer.prefetch, 2, 65535);
  consumer.batch = std::min(consumer.batch, consumer.prefetch / 2);  // Unless it is written.
  v.Count("batch", consumer.batch, 1, 1000);
}

void VisitAdmin(ConfigVisitor& v, AdminConfig& admin) {
  v.Text("listen", admin.listen, kNameBytesMax);
  v.Text("console", admin.console, kNameBytesMax);
  v.Flag("show_bodies", admin.show_bodies);
  v.Tokens("tokens", admin.tokens, [&](AdminToken& token) {
    v.TokenName("name", token.name);
    v.TokenDigest("sha256", token.sha256);
    v.Choice("may", token.may, kMay);
  });
}

void VisitPolicies(ConfigVisitor& v, Config& config) {
  v.Section("events", [&] {
    v.Text("exchange", config.events.exchange, kNameBytesMax);
    v.Text("source", config.events.source, kNameBytesMax);
    v.Duration("sweep_after", config.events.sweep_after, 5s, kDay);
  });
  v.Section("retry", [&] {
    v.Count("attempts", config.retry.attempts, 1, 1000);
    v.Durations("delays", config.retry.delays, 1ms, kDay);
  });
  v.Section("dead_letter", [&] { v.Text("queue", config.dead_letter.queue, kNameBytesMax); });
  v.Section("inbox", [&] { v.Flag("require_id", config.inbox.require_id); });
  v.Section("journal", [&] { v.Duration("keep", config.journal.keep, 1h, 3650 * kDay); });
  v.Section("security", [&] {
    v.Flag("require_signature", config.security.require_signature);
    v.Secrets("keys", config.security.keys);
  });
  v.Section("limits", [&] {
    v.Size("message", config.limits.message, kKiB, 16 * kMiB);
    v.Duration("deadline", config.limits.deadline, 100ms, 10min);
    v.Duration("shutdown", config.limits.shutdown, 1s, 10min);
  });
  v.Section("admin", [&] { VisitAdmin(v, config.admin); });
  v.Section("log", [&] {
    v.Choice("level", config.log.level, kLogLevels);
    v.Choice("format", config.log.format, kLogFormats);
  });
}

}  // namespace

const UrlKind& BrokerUrl() {
  static const UrlKind kind{
      "IQ_BROKER_URL", {"amqp://", "amqps://", "sqlite:"}, "amqp://guest:guest@127.0.0.1:5672/%2F"};
  return kind;
}

const UrlKind& StoreUrl() {
  static const UrlKind kind{"IQ_STORE_URL",
                            {"postgresql://", "postgres://", "sqlite:"},
                            "postgresql://iq:iq@127.0.0.1:5432/iq"};
  return kind;
}

const UrlKind& LocksUrl() {
  static const UrlKind kind{"IQ_LOCKS_URL", {"redis://", "local:"}, "redis://127.0.0.1:6379"};
  return kind;
}

void VisitConfig(ConfigVisitor& v, Config& config) {
  VisitServers(v, config);
  v.Section("plugins", [&] {
    v.Text("directory", config.plugins.directory, kPathBytesMax);
    v.Text("live", config.plugins.live, kPathBytesMax);
    v.Digests("allow", config.plugins.allow);
    v.Text("flight_recorder", config.plugins.flight_recorder, kPathBytesMax);
    v.PluginSettings("settings", config.plugins.settings);
  });
  v.Consumers("consumers", config.consumers,
              [&](ConsumerConfig& consumer) { VisitConsumer(v, consumer); });
  VisitPolicies(v, config);
}

}  // namespace iq
