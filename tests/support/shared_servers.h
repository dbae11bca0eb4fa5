// The servers that the tests of this directory's parts share.
#pragma once

#include "tests/support/servers.h"

namespace iq::test {

inline Servers& TestServers() {
  static Servers servers{Server::kPostgres, Server::kRabbit, Server::kRedis};
  return servers;
}

}  // namespace iq::test
