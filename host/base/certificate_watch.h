// Why a server's certificate was refused. OpenSSL tells it while it verifies and at no other time:
// of what librabbitmq and libpq pass on, no word says more than that it was refused.
#pragma once

#include <openssl/types.h>

#include <string>
#include <string_view>

namespace iq {

// How the configuration names what may have to be corrected.
struct CertificateKeys {
  std::string_view url;          // "broker.url"
  std::string_view authorities;  // "cacertfile": the option of the URL with the authorities' file.
};

// Must outlive what it is attached to, which belongs to one thread.
class CertificateWatch {
 public:
  explicit CertificateWatch(CertificateKeys keys) : keys_(keys) {}
  CertificateWatch(const CertificateWatch&) = delete;
  CertificateWatch& operator=(const CertificateWatch&) = delete;

  // Has the handshakes of every connection that is made of `context` verify the server.
  void Attach(SSL_CTX* context);
  // The same for one connection that verifies the server already.
  void Attach(SSL* connection);

  // What is wrong with the certificate and the mend, in one line; empty while none was refused.
  const std::string& fault() const { return fault_; }

 private:
  // Lets Note() find the way back.
  void Mark(SSL_CTX* context);
  static int Note(int trusted, X509_STORE_CTX* verification) noexcept;

  const CertificateKeys keys_;
  std::string fault_;
};

}  // namespace iq
