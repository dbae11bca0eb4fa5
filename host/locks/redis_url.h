// What a redis:// URL says: where the server is and how to log in.
#pragma once

#include <string>
#include <string_view>

namespace iq {

struct RedisUrl {
  std::string host;
  int port = 6379;
  std::string user;      // Empty: the server's default user.
  std::string password;  // Empty: no login.
  int database = 0;

  // "redis at HOST:PORT", for messages to people.
  std::string name() const;
};

// Reads redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]; user and password may hold %XX. Throws
// UsageError, which never repeats the password.
RedisUrl ParseRedisUrl(std::string_view url);

}  // namespace iq
