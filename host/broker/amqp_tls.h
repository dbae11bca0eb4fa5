// TLS to RabbitMQ: whom a connection trusts, what it shows of itself, and why a handshake failed.
#pragma once

#include <amqp.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "host/base/certificate_watch.h"
#include "host/broker/amqp_url.h"

namespace iq {

// A file that the URL names is of no use. what() is the reason and the mend.
class TlsFileFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Must outlive the librabbitmq connection that it makes a socket for.
class AmqpTls {
 public:
  explicit AmqpTls(const AmqpUrl& url);

  // The connection's new TLS socket, not open yet; null where memory is short. Reads the files
  // anew, for certificates are replaced while a host runs. Throws TlsFileFault.
  amqp_socket_t* NewSocket(amqp_connection_state_t connection);

  // Why that socket could not be opened and the mend; empty where `status`, librabbitmq's, has
  // nothing to do with TLS.
  std::optional<std::string> Fault(int status) const;

 private:
  void VerifyServer(amqp_socket_t* socket);
  void ReadFiles(amqp_socket_t* socket) const;

  const AmqpUrl url_;
  std::string server_name_;  // What the certificate must be for.
  CertificateWatch watch_;
};

// librabbitmq's words for a status, or OpenSSL's where librabbitmq has none of its own.
std::string AmqpStatusText(int status);

}  // namespace iq
