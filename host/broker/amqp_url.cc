#include "host/broker/amqp_url.h"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>

#include "host/base/error.h"

namespace iq {
namespace {

constexpr int kPlainPort = 5672;
constexpr int kTlsPort = 5671;
constexpr int kPortMax = 65535;

[[noreturn]] void Refuse(std::string_view mistake) {
  throw UsageError(fmt::format(
      "the broker's URL {}; it should be amqp://USER:PASSWORD@HOST:PORT/VHOST, amqps://… or "
      "sqlite:PATH",
      mistake));
}

std::string Decoded(std::string_view text, std::string_view part) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    unsigned byte = 0;
    const char* const digits = text.data() + i + 1;
    const bool whole = i + 2 < text.size();
    if (!whole || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2 || byte == 0) {
      Refuse(fmt::format("has a bad percent sign in its {}", part));
    }
    plain += static_cast<char>(byte);
    i += 2;
  }
  return plain;
}

// Cuts `text` at the first `mark` and returns what follows it; empty when there is no `mark`.
std::optional<std::string_view> CutAt(std::string_view& text, char mark) {
  const auto at = text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const auto rest = text.substr(at + 1);
  text = text.substr(0, at);
  return rest;
}

int Port(std::string_view text) {
  int port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end || port < 1 || port > kPortMax) {
    Refuse("has a port that is not a number from 1 to 65535");
  }
  return port;
}

void ReadHost(std::string_view text, AmqpUrl& url) {
  if (text.starts_with('[')) {
    text.remove_prefix(1);
    const auto rest = CutAt(text, ']');
    if (!rest || (!rest->empty() && rest->front() != ':')) Refuse("has an unclosed '['");
    if (!rest->empty()) url.port = Port(rest->substr(1));
  } else if (const auto port = CutAt(text, ':')) {
    url.port = Port(*port);
  }
  url.host = Decoded(text, "host");
  if (url.host.empty()) Refuse("names no host");
}

void ReadUser(std::string_view text, AmqpUrl& url) {
  if (const auto password = CutAt(text, ':')) url.password = Decoded(*password, "password");
  url.user = Decoded(text, "user");
}

void ReadVerify(std::string_view value, AmqpUrl& url) {
  url.verify = value == "verify_peer";
  if (!url.verify && value != "verify_none") {
    Refuse("has a verify that is neither verify_peer, the default, nor verify_none");
  }
}

void ReadOption(std::string_view text, AmqpUrl& url) {
  const auto encoded = CutAt(text, '=').value_or(std::string_view{});
  if (text == "verify") {
    ReadVerify(encoded, url);
    return;
  }
  std::string* value = nullptr;
  if (text == "cacertfile") value = &url.ca_file;
  if (text == "certfile") value = &url.cert_file;
  if (text == "keyfile") value = &url.key_file;
  if (text == "server_name_indication") value = &url.server_name;
  if (value == nullptr) {
    Refuse(
        fmt::format("has the option '{}'; known are cacertfile, certfile, keyfile, verify and "
                    "server_name_indication",
                    text));
  }
  *value = Decoded(encoded, "options");
  if (value->empty()) Refuse(fmt::format("has an empty option '{}'", text));
}

void ReadOptions(std::string_view text, AmqpUrl& url) {
  if (!url.tls && !text.empty()) Refuse("has options, and they are for amqps:// only");
  while (!text.empty()) {
    const auto rest = CutAt(text, '&');
    ReadOption(text, url);
    text = rest.value_or(std::string_view{});
  }
  if (url.cert_file.empty() != url.key_file.empty()) {
    Refuse("has only one of certfile and keyfile; both are needed");
  }
  // Other clients then do not look at the host's name, which is for verify to say.
  if (url.server_name == "disable") {
    Refuse("has server_name_indication=disable; leave it out, and the URL's own host is verified");
  }
}

}  // namespace

AmqpUrl ParseAmqpUrl(const std::string& text) {
  AmqpUrl url;
  std::string_view rest = text;
  if (rest.starts_with("amqps://")) {
    url.tls = true;
  } else if (!rest.starts_with("amqp://")) {
    Refuse("does not begin with amqp:// or amqps://");
  }
  rest.remove_prefix(url.tls ? 8 : 7);
  url.port = url.tls ? kTlsPort : kPlainPort;

  const auto options = CutAt(rest, '?');
  const auto vhost = CutAt(rest, '/');
  if (vhost && vhost->find('/') != std::string_view::npos) {
    Refuse("has a '/' within its virtual host; write it as %2F");
  }
  if (vhost && !vhost->empty()) url.vhost = Decoded(*vhost, "virtual host");

  auto authority = rest;
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    ReadUser(authority.substr(0, at), url);
    authority.remove_prefix(at + 1);
  }
  ReadHost(authority, url);
  ReadOptions(options.value_or(std::string_view{}), url);
  return url;
}

}  // namespace iq
