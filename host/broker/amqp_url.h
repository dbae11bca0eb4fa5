// What a broker's URL says:
//   amqp[s]://USER:PASSWORD@HOST:PORT/VHOST[?OPTION=VALUE&…]
// Every part may be percent-encoded; the virtual host "/" is written as nothing or as %2F. The
// options are for amqps:// and named as RabbitMQ's own clients name them: cacertfile, certfile,
// keyfile, verify (verify_peer or verify_none) and server_name_indication.
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
  bool verify = true;       // The server's certificate: who issued it, when, and for which host.
  std::string server_name;  // Which host that is; empty: `host`.
};

// Throws UsageError, whose text never contains `text`: a password may be in it.
AmqpUrl ParseAmqpUrl(const std::string& text);

}  // namespace iq
