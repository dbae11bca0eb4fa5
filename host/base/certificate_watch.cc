#include "host/base/certificate_watch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <new>
#include <vector>

namespace iq {
namespace {

constexpr int kNamesMax = 3;

int WatchIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// What `print` writes, without what could begin a new line: a certificate says what it likes.
template <typename Print>
std::string Printed(Print print) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
  if (!out || print(out.get()) < 0) return "?";
  char* data = nullptr;
  const long size = BIO_ctrl(out.get(), BIO_CTRL_INFO, 0, static_cast<void*>(&data));
  std::string text(data, static_cast<std::size_t>(std::max(size, 0L)));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, '?');
  return text;
}

std::string Text(const X509_NAME* name) {
  return Printed([&](BIO* out) { return X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253); });
}

std::string Text(const ASN1_TIME* time) {
  std::tm date{};
  if (ASN1_TIME_to_tm(time, &date) != 1) return "a date that is none";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", date.tm_year + 1900,
                     date.tm_mon + 1, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec);
}

// Whom a certificate is for: its alternative names or, where it has none, its subject.
std::string Names(const X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  if (!names) return Text(X509_get_subject_name(certificate));
  const int count = sk_GENERAL_NAME_num(names.get());
  std::vector<std::string> texts;
  texts.reserve(static_cast<std::size_t>(std::min(count, kNamesMax)) + 1);
  for (int i = 0; i < std::min(count, kNamesMax); ++i) {
    texts.push_back(Printed(
        [&](BIO* out) { return GENERAL_NAME_print(out, sk_GENERAL_NAME_value(names.get(), i)); }));
  }
  if (count > kNamesMax) texts.push_back(fmt::format("{} more", count - kNamesMax));
  return fmt::format("{}", fmt::join(texts, ", "));
}

// Whom it should be for.
std::string Expected(X509_STORE_CTX* verification) {
  X509_VERIFY_PARAM* const wanted = X509_STORE_CTX_get0_param(verification);
  if (const char* const host = X509_VERIFY_PARAM_get0_host(wanted, 0)) return host;
  char* const address = X509_VERIFY_PARAM_get1_ip_asc(wanted);
  std::string text = address == nullptr ? "the server's host" : address;
  OPENSSL_free(address);
  return text;
}

bool IsOfAuthority(int error) {
  switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED:
      return true;
    default:
      return false;
  }
}

std::string Fault(X509_STORE_CTX* verification, const CertificateKeys& keys) {
  const int error = X509_STORE_CTX_get_error(verification);
  const char* const words = X509_verify_cert_error_string(error);
  const X509* const certificate = X509_STORE_CTX_get_current_cert(verification);
  if (certificate == nullptr) {
    return fmt::format("its certificate is refused: {}; give the server another one", words);
  }
  if (IsOfAuthority(error)) {
    return fmt::format(
        "its certificate goes back to {}, whom nothing here trusts ({}); set {} in {} to the file "
        "of that authority",
        Text(X509_get_issuer_name(certificate)), words, keys.authorities, keys.url);
  }
  const std::string whose = X509_STORE_CTX_get_error_depth(verification) == 0
                                ? "its certificate"
                                : fmt::format("the certificate of its authority {}",
                                              Text(X509_get_subject_name(certificate)));
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("{} has expired on {}; give the server a new one", whose,
                         Text(X509_get0_notAfter(certificate)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} is not valid before {}; look at this machine's clock", whose,
                         Text(X509_get0_notBefore(certificate)));
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format(
          "its certificate is for {} and not for {}; write the host in {} as the certificate has "
          "it, or give the server one for this host",
          Names(certificate), Expected(verification), keys.url);
    default:
      return fmt::format("{} is refused: {}; give the server another one", whose, words);
  }
}

}  // namespace

void CertificateWatch::Attach(SSL_CTX* context) {
  Mark(context);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, Note);
}

void CertificateWatch::Attach(SSL* connection) {
  Mark(SSL_get_SSL_CTX(connection));
  SSL_set_verify(connection, SSL_get_verify_mode(connection), Note);
}

void CertificateWatch::Mark(SSL_CTX* context) {
  if (SSL_CTX_set_ex_data(context, WatchIndex(), this) != 1) throw std::bad_alloc();
}

// The first refusal ends the verification, and with it the handshake.
int CertificateWatch::Note(int trusted, X509_STORE_CTX* verification) noexcept {
  if (trusted == 1) return 1;
  const auto* const connection = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* const watch = static_cast<CertificateWatch*>(
      SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), WatchIndex()));
  watch->fault_ = Fault(verification, watch->keys_);
  return 0;
}

}  // namespace iq
