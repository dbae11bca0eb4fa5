// Certificates that a test makes: good ones and bad ones.
#pragma once

#include <openssl/types.h>

#include <chrono>
#include <memory>
#include <string>

namespace iq::test {

// Files in PEM.
struct KeyPair {
  std::string certificate;
  std::string key;
};

struct CertificateSpec {
  std::string name;                     // Of the files, and its subject.
  std::string alternative_names{};      // As OpenSSL writes them: "IP:127.0.0.1,DNS:localhost".
  std::chrono::seconds lifetime{3600};  // From now on; it began two days ago.
};

// Signs certificates. Throws std::runtime_error with OpenSSL's reason. Not thread-safe.
class CertificateAuthority {
 public:
  // Its files are made in `directory`, which must exist.
  CertificateAuthority(std::string directory, const std::string& name);

  // Its own certificate, for those who are to trust it.
  const std::string& file() const { return file_; }

  KeyPair Issue(const CertificateSpec& spec) const;

 private:
  struct Free {
    void operator()(X509* certificate) const;
    void operator()(EVP_PKEY* key) const;
  };
  using Certificate = std::unique_ptr<X509, Free>;
  using Key = std::unique_ptr<EVP_PKEY, Free>;

  static Key NewKey();
  static Certificate NewCertificate(const CertificateSpec& spec, EVP_PKEY* key);
  // `value` as OpenSSL's configuration files have it.
  void Extend(X509* certificate, int extension, const std::string& value) const;
  void Sign(X509* certificate) const;

  const std::string directory_;
  const Key key_;
  const Certificate certificate_;
  std::string file_;
};

}  // namespace iq::test
