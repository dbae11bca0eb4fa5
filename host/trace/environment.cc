#include "host/trace/environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "host/base/error.h"

namespace iq {
namespace {

constexpr const char* kEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
constexpr const char* kHeaders = "OTEL_EXPORTER_OTLP_HEADERS";
constexpr const char* kServiceName = "OTEL_SERVICE_NAME";
constexpr const char* kResource = "OTEL_RESOURCE_ATTRIBUTES";

constexpr const char* kServiceNameKey = "service.name";
constexpr const char* kTracesPath = "/v1/traces";

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string_view Trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool HoldsControls(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char byte) {
    return static_cast<unsigned char>(byte) < 0x20 || byte == '\x7f';
  });
}

// What may be the name of a header (RFC 9110, token).
bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char byte) {
    return std::isalnum(static_cast<unsigned char>(byte)) != 0 ||
           kMarks.find(byte) != std::string_view::npos;
  });
}

std::string PercentDecoded(std::string_view text) {
  constexpr int kHex = 16;
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned char byte = 0;
    const char* const digits = text.data() + at + 1;
    const bool coded = text[at] == '%' && at + 2 < text.size() &&
                       std::from_chars(digits, digits + 2, byte, kHex).ptr == digits + 2;
    decoded += coded ? static_cast<char>(byte) : text[at];
    if (coded) at += 2;
  }
  return decoded;
}

// KEY=VALUE,… Never says what a value is: it may be a secret.
Pairs ReadPairs(const char* variable, std::string_view text) {
  Pairs pairs;
  while (!text.empty()) {
    const std::string_view pair = Trimmed(text.substr(0, text.find(',')));
    text.remove_prefix(std::min(text.size(), text.find(',')));
    if (!text.empty()) text.remove_prefix(1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const std::string_view key = Trimmed(pair.substr(0, equals));
    if (equals == std::string_view::npos || key.empty()) {
      throw UsageError(fmt::format(
          "{}: its {}. entry is no KEY=VALUE; write KEY=VALUE,KEY=VALUE with a comma in a value as "
          "%2C",
          variable, pairs.size() + 1));
    }
    pairs.emplace_back(key, PercentDecoded(Trimmed(pair.substr(equals + 1))));
  }
  return pairs;
}

Pairs ReadHeaders(std::string_view text) {
  Pairs headers = ReadPairs(kHeaders, text);
  for (const auto& [name, value] : headers) {
    if (IsToken(name) && !HoldsControls(value)) continue;
    throw UsageError(fmt::format(
        "{}: the header \"{}\" cannot be sent; write its name in letters, digits and hyphens, and "
        "its value without control characters",
        kHeaders, HoldsControls(name) ? "?" : name));
  }
  return headers;
}

// Those of the process, and what says whose it is. The first of two with one key counts.
Pairs ReadResource(std::string_view service_name, std::string_view attributes) {
  Pairs resource;
  if (!service_name.empty()) resource.emplace_back(kServiceNameKey, service_name);
  Pairs more = ReadPairs(kResource, attributes);
  more.emplace_back(kServiceNameKey, "iq");
  for (auto& attribute : more) {
    const bool known = std::any_of(resource.begin(), resource.end(),
                                   [&](const auto& each) { return each.first == attribute.first; });
    if (!known) resource.push_back(std::move(attribute));
  }
  return resource;
}

[[noreturn]] void RefuseEndpoint(std::string_view why) {
  throw UsageError(fmt::format(
      "{}: {}; write http://HOST:PORT or https://HOST:PORT of a collector that takes OTLP over "
      "HTTP, for instance http://127.0.0.1:4318",
      kEndpoint, why));
}

void ReadEndpoint(std::string_view url, TracingConfig& tracing) {
  constexpr std::string_view kHttp = "http://";
  constexpr std::string_view kHttps = "https://";
  if (url.find('@') != std::string_view::npos) {
    RefuseEndpoint(fmt::format("a user or password does not belong there but into {}", kHeaders));
  }
  tracing.tls = url.starts_with(kHttps);
  if (!tracing.tls && !url.starts_with(kHttp)) {
    RefuseEndpoint("does not begin with http:// or https://");
  }
  if (HoldsControls(url) || url.find_first_of(" ?#") != std::string_view::npos) {
    RefuseEndpoint("holds a space, a control character, ? or #");
  }
  url.remove_prefix(tracing.tls ? kHttps.size() : kHttp.size());
  std::string authority(url.substr(0, url.find('/')));
  std::string_view path = url.substr(authority.size());
  while (path.ends_with('/')) path.remove_suffix(1);
  const bool names_port = authority.find(':') != std::string::npos && !authority.ends_with(']');
  if (!names_port) authority += tracing.tls ? ":443" : ":80";
  const auto address = ParseHostAndPort(authority);
  if (!address || address->port == 0) RefuseEndpoint("has no HOST, or a PORT that is none");
  tracing.host = address->host;
  tracing.port = address->port;
  tracing.path = std::string(path) + kTracesPath;
}

}  // namespace

TracingConfig ReadTracing(const Environment& environment) {
  const auto value = [&environment](const char* variable) {
    return std::string(Trimmed(environment(variable).value_or("")));
  };
  TracingConfig tracing;
  const std::string endpoint = value(kEndpoint);
  if (endpoint.empty()) return tracing;
  ReadEndpoint(endpoint, tracing);
  tracing.headers = ReadHeaders(value(kHeaders));
  tracing.resource = ReadResource(value(kServiceName), value(kResource));
  return tracing;
}

TracingConfig TracingOfThisProcess() {
  return ReadTracing([](const std::string& name) -> std::optional<std::string> {
    const char* const text = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): at start
    if (text == nullptr) return std::nullopt;
    return text;
  });
}

}  // namespace iq
