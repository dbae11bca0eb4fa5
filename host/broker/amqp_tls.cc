#include "host/broker/amqp_tls.h"

#include <amqp_ssl_socket.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <new>
#include <string_view>
#include <system_error>

namespace iq {
namespace {

SSL_CTX* ContextOf(amqp_socket_t* socket) {
  return static_cast<SSL_CTX*>(amqp_ssl_socket_get_context(socket));
}

// The first thing that went wrong on this thread since OpenSSL's errors were cleared; empty where
// nothing did.
std::string OpenSslReason() {
  const unsigned long error = ERR_peek_error();
  if (error == 0) return {};
  if (ERR_SYSTEM_ERROR(error)) return std::generic_category().message(ERR_GET_REASON(error));
  const char* const reason = ERR_reason_error_string(error);
  return reason == nullptr ? fmt::format("OpenSSL error {:x}", error) : reason;
}

// OpenSSL would ask for it on the terminal.
int NoPassword(char* /*buffer*/, int /*size*/, int /*rwflag*/, void* /*context*/) { return -1; }

// librabbitmq announces the URL's host to the server, an address too, which TLS does not allow.
// This is called after that and before anything is sent.
void AnnounceServerName(const SSL* connection, int where, int /*value*/) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
  void* const name = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), 0);
  SSL_ctrl(const_cast<SSL*>(connection), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
           name);
}

// A port without TLS answers in its own protocol, or closes the connection.
bool SpeaksNoTls(unsigned long error) {
  if (error == 0) return true;
  const int reason = ERR_GET_REASON(error);
  return ERR_GET_LIB(error) == ERR_LIB_SSL &&
         (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING);
}

std::string HandshakeFault() {
  const std::string reason = OpenSslReason();
  if (SpeaksNoTls(ERR_peek_error())) {
    return fmt::format(
        "it does not answer to TLS ({}); write the port where it does, or amqp://, in broker.url",
        reason.empty() ? "the connection was closed" : reason);
  }
  return fmt::format("the TLS handshake failed: {}; the server's log may say why", reason);
}

}  // namespace

AmqpTls::AmqpTls(const AmqpUrl& url)
    : url_(url),
      server_name_(url.server_name.empty() ? url.host : url.server_name),
      watch_({.url = "broker.url", .authorities = "cacertfile"}) {}

amqp_socket_t* AmqpTls::NewSocket(amqp_connection_state_t connection) {
  amqp_socket_t* const socket = amqp_ssl_socket_new(connection);
  if (socket == nullptr) return nullptr;
  amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
  amqp_ssl_socket_set_verify_peer(socket, url_.verify ? 1 : 0);
  // librabbitmq compares with DNS names only, never with addresses: OpenSSL does that instead.
  amqp_ssl_socket_set_verify_hostname(socket, 0);
  VerifyServer(socket);
  ReadFiles(socket);
  return socket;
}

void AmqpTls::VerifyServer(amqp_socket_t* socket) {
  SSL_CTX* const context = ContextOf(socket);
  X509_VERIFY_PARAM* const wanted = SSL_CTX_get0_param(context);
  const bool address = X509_VERIFY_PARAM_set1_ip_asc(wanted, server_name_.c_str()) == 1;
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const bool set = address || X509_VERIFY_PARAM_set1_host(wanted, server_name_.c_str(),
                                                          server_name_.size()) == 1;
  void* const announced = address ? nullptr : server_name_.data();
  if (!set || SSL_CTX_set_ex_data(context, 0, announced) != 1) throw std::bad_alloc();
  SSL_CTX_set_info_callback(context, AnnounceServerName);
  if (url_.verify) watch_.Attach(context);
}

void AmqpTls::ReadFiles(amqp_socket_t* socket) const {
  SSL_CTX* const context = ContextOf(socket);
  SSL_CTX_set_default_passwd_cb(context, NoPassword);
  ERR_clear_error();
  if (url_.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (amqp_ssl_socket_set_cacert(socket, url_.ca_file.c_str()) != AMQP_STATUS_OK) {
    throw TlsFileFault(
        fmt::format("cannot read the certificate authorities in {}: {}; correct cacertfile in "
                    "broker.url",
                    url_.ca_file, OpenSslReason()));
  }
  if (url_.cert_file.empty()) return;
  ERR_clear_error();
  if (amqp_ssl_socket_set_key(socket, url_.cert_file.c_str(), url_.key_file.c_str()) !=
      AMQP_STATUS_OK) {
    throw TlsFileFault(
        fmt::format("cannot use the certificate {} with the key {}: {}; correct certfile and "
                    "keyfile in broker.url (the key must have no password)",
                    url_.cert_file, url_.key_file, OpenSslReason()));
  }
}

std::optional<std::string> AmqpTls::Fault(int status) const {
  switch (status) {
    case AMQP_STATUS_SSL_ERROR:
    case AMQP_STATUS_SSL_CONNECTION_FAILED:
    case AMQP_STATUS_SSL_PEER_VERIFY_FAILED:
      return watch_.fault().empty() ? HandshakeFault() : watch_.fault();
    default:
      return std::nullopt;
  }
}

std::string AmqpStatusText(int status) {
  const std::string reason = status == AMQP_STATUS_SSL_ERROR ? OpenSslReason() : std::string();
  return reason.empty() ? amqp_error_string2(status) : fmt::format("TLS: {}", reason);
}

}  // namespace iq
