#include "host/locks/redis_url.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <optional>
#include <system_error>

#include "host/base/error.h"

namespace iq {
namespace {

[[noreturn]] void Refuse(std::string_view what) {
  throw UsageError(
      fmt::format("locks.url: {}; set IQ_LOCKS_URL to redis://[[USER]:PASSWORD@]HOST:PORT"
                  "[/DATABASE], for instance redis://127.0.0.1:6379",
                  what));
}

std::optional<int> Number(std::string_view text, int least, int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (number < least || number > most) return std::nullopt;
  return number;
}

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned char byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto* const last = digits.data() + digits.size();
    const auto [end, error] = std::from_chars(digits.data(), last, byte, 16);
    if (digits.size() != 2 || error != std::errc{} || end != last) {
      Refuse("a % in the user or password is not followed by two hex digits (write % as %25)");
    }
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

void ReadLogin(std::string_view login, RedisUrl& url) {
  const auto colon = login.find(':');
  if (colon == std::string_view::npos) {
    Refuse("a user without a password (a password alone is written :PASSWORD@)");
  }
  url.user = PercentDecoded(login.substr(0, colon));
  url.password = PercentDecoded(login.substr(colon + 1));
  if (url.password.empty()) Refuse("the password is empty");
}

void ReadAddress(std::string_view address, RedisUrl& url) {
  std::string_view port;
  const bool bracketed = address.starts_with('[');
  const auto bracket = bracketed ? address.find(']') : 0;
  if (bracket == std::string_view::npos) Refuse("the host's [ has no ]");
  const auto colon = address.find(':', bracket);
  url.host = bracketed ? address.substr(1, bracket - 1) : address.substr(0, colon);
  if (bracketed && bracket + 1 != address.size() && colon != bracket + 1) {
    Refuse("only :PORT may follow the host's ]");
  }
  if (url.host.empty()) Refuse("no host");
  if (url.host.find_first_of("%?# \t\r\n") != std::string::npos ||
      url.host.find('\0') != std::string::npos) {
    Refuse("the host holds a character that no host has");
  }
  if (colon == std::string_view::npos) return;
  const auto number = Number(address.substr(colon + 1), 1, 65535);
  if (!number) Refuse("the port is not a number from 1 to 65535");
  url.port = *number;
}

}  // namespace

std::string RedisUrl::name() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("redis at {}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

RedisUrl ParseRedisUrl(std::string_view url) {
  constexpr std::string_view kScheme = "redis://";
  if (url.starts_with("rediss://")) {
    Refuse("rediss:// (TLS) is not supported; put a TLS tunnel before the server");
  }
  if (!url.starts_with(kScheme)) Refuse("does not begin with redis://");
  url.remove_prefix(kScheme.size());

  RedisUrl parsed;
  const auto slash = url.find('/');
  std::string_view authority = url.substr(0, slash);
  if (slash != std::string_view::npos && slash + 1 < url.size()) {
    const auto database = Number(url.substr(slash + 1), 0, std::numeric_limits<int>::max());
    if (!database) Refuse("the database after the / is not a number (a / in a password is %2F)");
    parsed.database = *database;
  }
  const auto at = authority.rfind('@');
  if (at != std::string_view::npos) {
    ReadLogin(authority.substr(0, at), parsed);
    authority.remove_prefix(at + 1);
  }
  ReadAddress(authority, parsed);
  return parsed;
}

}  // namespace iq
