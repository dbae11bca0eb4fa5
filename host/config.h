// The configuration file as plain structs: each default stands here once.
//
// Read once at the start and passed down by reference; nothing else in the host reads the file or
// the environment.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace iq {

struct BrokerConfig {
  std::string url = "sqlite:var/iq.db";
  std::chrono::milliseconds publish_patience{std::chrono::seconds{5}};
};

struct StoreConfig {
  std::string url = "sqlite:var/iq.db";
};

struct LocksConfig {
  enum class OnBusy { kRetry, kRequeue, kReject };
  std::string url = "local:var/iq.locks";
  std::chrono::milliseconds lease{std::chrono::seconds{30}};
  std::chrono::milliseconds wait{std::chrono::seconds{2}};
  OnBusy on_busy = OnBusy::kRetry;
};

struct PluginsConfig {
  std::string directory = "plugins";
  std::string flight_recorder = "var/flight";
  std::string live = "var/plugins";  // Private copies of what is in `directory`.
  std::vector<std::string> allow;    // SHA-256 sums in lower case; empty: every file may serve.
  // By plugin name, then by key; nested keys are joined with dots, values are text.
  std::map<std::string, std::map<std::string, std::string>> settings;
  // Not in the file: the program that can probe a plugin, as host/plugin_probe.h says. Empty: none
  // can, and plugins are loaded without a probe.
  std::string prober;
};

struct ConsumerConfig {
  enum class QueueType { kQuorum, kClassic };
  std::string exchange = "billing";
  std::string queue = "billing";
  QueueType queue_type = QueueType::kQuorum;
  std::uint32_t workers = 1;
  std::uint32_t prefetch = 1024;  // At least twice `batch`.
  std::uint32_t batch = 256;
};

struct EventsConfig {
  std::string exchange = "billing.events";
  std::string source = "iq";
  std::chrono::milliseconds sweep_after{std::chrono::seconds{60}};
};

struct RetryConfig {
  std::uint32_t attempts = 5;
  // Before the second attempt, the third, …; the last one serves for all that follow.
  std::vector<std::chrono::milliseconds> delays{std::chrono::seconds{1}, std::chrono::seconds{5},
                                                std::chrono::seconds{30}};
};

struct DeadLetterConfig {
  std::string queue = "billing.dead";
};

struct InboxConfig {
  bool require_id = false;
};

struct JournalConfig {
  std::chrono::milliseconds keep{std::chrono::hours{24 * 7}};
};

struct SecurityConfig {
  bool require_signature = false;
  std::vector<std::string> keys;  // The first one signs, each one verifies. None is empty.
};

struct LimitsConfig {
  std::size_t message = 256 * 1024;  // Bytes.
  std::chrono::milliseconds deadline{std::chrono::seconds{10}};
  std::chrono::milliseconds shutdown{std::chrono::seconds{20}};
};

// Whoever sends the token may use the page.
struct AdminToken {
  enum class May { kRead, kWrite };
  std::string name;    // IsTokenName (host/config_text.h); no two alike.
  std::string sha256;  // Of the token's text: 64 lower-case hex digits.
  May may = May::kRead;
};

struct AdminConfig {
  static constexpr const char* kOff = "off";
  std::string listen = "127.0.0.1:9400";   // HOST:PORT, port 0 for any that is free; or kOff.
  std::string console = "127.0.0.1:8080";  // HOST:PORT, port 0 for any that is free.
  bool show_bodies = true;
  std::vector<AdminToken> tokens;
};

// Where spans go, and what they share (host/trace/environment.h).
struct TracingConfig {
  std::string host;  // Of the collector; empty: no spans are made.
  std::uint16_t port = 0;
  bool tls = false;
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::pair<std::string, std::string>> resource;
};

struct LogConfig {
  enum class Level { kDebug, kInfo, kWarn, kError };
  enum class Format { kAuto, kText, kJson };
  Level level = Level::kInfo;
  Format format = Format::kAuto;
};

struct Config {
  BrokerConfig broker;
  StoreConfig store;
  LocksConfig locks;
  PluginsConfig plugins;
  std::vector<ConsumerConfig> consumers{ConsumerConfig{}};
  EventsConfig events;
  RetryConfig retry;
  DeadLetterConfig dead_letter;
  InboxConfig inbox;
  JournalConfig journal;
  SecurityConfig security;
  LimitsConfig limits;
  AdminConfig admin;
  LogConfig log;
  // Not in the file: where it was read from, and the folder of the SQL files.
  std::string file;
  std::string sql_directory;
  // Not in the file: what the environment of `iq run` says.
  TracingConfig tracing;
};

// Reads `path` and expands ${NAME} and ${NAME:-default} from the environment. Throws UsageError
// with a line for each mistake: file, line, key, what is wrong and what would be right.
// The URLs have their defaults when none of the three is set; otherwise one that is not set is
// empty.
Config LoadConfig(const std::string& path);

// Throws UsageError that names each URL which is not set and the environment variable to set.
void RequireUrls(const Config& config);

// The effective configuration as JSON, or as YAML that LoadConfig would read but for the sums of
// tokens; secrets masked.
std::string ConfigAsYaml(const Config& config);
std::string ConfigAsJson(const Config& config);

// `url` with its password replaced by "***".
std::string MaskPassword(const std::string& url);

}  // namespace iq
