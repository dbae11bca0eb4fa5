#include "tests/support/certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace iq::test {
namespace {

void Require(bool done, const std::string& what) {
  if (done) return;
  const char* const reason = ERR_reason_error_string(ERR_peek_error());
  throw std::runtime_error(what + ": " + (reason == nullptr ? "failed" : reason));
}

template <typename Write>
void WriteFile(const std::string& path, Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "w"), BIO_free);
  Require(file != nullptr && write(file.get()) == 1 && BIO_flush(file.get()) == 1, path);
  std::filesystem::permissions(
      path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

void WriteCertificate(const std::string& path, const X509* certificate) {
  WriteFile(path, [&](BIO* file) { return PEM_write_bio_X509(file, certificate); });
}

void WriteKey(const std::string& path, const EVP_PKEY* key) {
  WriteFile(path, [&](BIO* file) {
    return PEM_write_bio_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

}  // namespace

void CertificateAuthority::Free::operator()(X509* certificate) const { X509_free(certificate); }
void CertificateAuthority::Free::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

CertificateAuthority::CertificateAuthority(std::string directory, const std::string& name)
    : directory_(std::move(directory)),
      key_(NewKey()),
      certificate_(NewCertificate({.name = name}, key_.get())),
      file_(directory_ + '/' + name + ".pem") {
  Extend(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  Extend(certificate_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  Extend(certificate_.get(), NID_subject_key_identifier, "hash");
  Sign(certificate_.get());
  WriteCertificate(file_, certificate_.get());
}

KeyPair CertificateAuthority::Issue(const CertificateSpec& spec) const {
  const Key key = NewKey();
  const Certificate certificate = NewCertificate(spec, key.get());
  Extend(certificate.get(), NID_authority_key_identifier, "keyid");
  if (!spec.alternative_names.empty()) {
    Extend(certificate.get(), NID_subject_alt_name, spec.alternative_names);
  }
  Sign(certificate.get());
  const KeyPair files{directory_ + '/' + spec.name + ".pem", directory_ + '/' + spec.name + ".key"};
  WriteCertificate(files.certificate, certificate.get());
  WriteKey(files.key, key.get());
  return files;
}

CertificateAuthority::Key CertificateAuthority::NewKey() {
  Key key(EVP_EC_gen("P-256"));
  Require(key != nullptr, "a new key");
  return key;
}

CertificateAuthority::Certificate CertificateAuthority::NewCertificate(const CertificateSpec& spec,
                                                                       EVP_PKEY* key) {
  constexpr long kTwoDays = 2L * 24 * 3600;
  Certificate certificate(X509_new());
  std::uint64_t serial = 0;
  X509* const made = certificate.get();
  const auto* const name = reinterpret_cast<const unsigned char*>(spec.name.c_str());
  Require(made != nullptr && RAND_bytes(reinterpret_cast<unsigned char*>(&serial), 7) == 1 &&
              X509_set_version(made, X509_VERSION_3) == 1 &&
              ASN1_INTEGER_set_uint64(X509_get_serialNumber(made), serial) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(made), -kTwoDays) != nullptr &&
              X509_gmtime_adj(X509_getm_notAfter(made), spec.lifetime.count()) != nullptr &&
              X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8, name, -1,
                                         -1, 0) == 1 &&
              X509_set_pubkey(made, key) == 1,
          "certificate " + spec.name);
  return certificate;
}

void CertificateAuthority::Extend(X509* certificate, int extension,
                                  const std::string& value) const {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, certificate_.get(), certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> made(
      X509V3_EXT_conf_nid(nullptr, &context, extension, value.c_str()), X509_EXTENSION_free);
  Require(made != nullptr && X509_add_ext(certificate, made.get(), -1) == 1, value);
}

void CertificateAuthority::Sign(X509* certificate) const {
  Require(X509_set_issuer_name(certificate, X509_get_subject_name(certificate_.get())) == 1 &&
              X509_sign(certificate, key_.get(), EVP_sha256()) > 0,
          "signature");
}

}  // namespace iq::test
