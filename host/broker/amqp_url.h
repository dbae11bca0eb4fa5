// What a broker's URL says:
//   amqp[s]://USER:PASSWORD@HOST:PORT/VHOST[?cacertfile=PATH&certfile=PATH&keyfile=PATH]
// Every part may be percent-encoded; the virtual host "/" is written as nothing or as %2F.
#pragma once

#include <string>

namespace iq {

struct AmqpUrl {
  bool tls = false;
  std::string host;  // Without the brackets of an IPv6 address.
  int port = 0;
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";
  std::string ca_file;    // Empty: the system's own certificate authorities.
  std::string cert_file;  // Empty: no client certificate. Set together with key_file.
  std::string key_file;
};

// Throws UsageError, whose text never contains `text`: a password may be in it.
AmqpUrl ParseAmqpUrl(const std::string& text);

}  // namespace iq
