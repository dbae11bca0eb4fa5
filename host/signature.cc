#include "host/signature.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <stdexcept>

#include "host/base/digest.h"

namespace iq {
namespace {

// In a time that tells nothing of where two texts of the same length differ.
bool IsSame(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

std::string SignatureOf(const Message& message, std::string_view key) {
  const std::string text = fmt::format("{}\n{}", message.message_id, message.body);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  const bool keyed = key.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (!keyed || HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                     reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                     digest.data(), &length) == nullptr) {
    throw std::runtime_error("OpenSSL computes no HMAC-SHA256");
  }
  return Hex(std::span(digest).first(length));
}

bool IsSignable(const std::string& message_id) {
  return message_id.find('\n') == std::string::npos;
}

std::optional<std::string> SignatureFault(const Message& message, const SecurityConfig& security) {
  const auto header = message.headers.find(kSignatureHeader);
  if (header == message.headers.end()) {
    if (!security.require_signature) return std::nullopt;
    return fmt::format("no header {}, which security.require_signature asks for", kSignatureHeader);
  }
  if (security.keys.empty() && !security.require_signature) return std::nullopt;
  if (!IsSignable(message.message_id)) return "an id with a line feed cannot be signed";
  const std::string* const claimed = header->second.text();
  const bool ours = claimed != nullptr &&
                    std::any_of(security.keys.begin(), security.keys.end(), [&](const auto& key) {
                      return IsSame(*claimed, SignatureOf(message, key));
                    });
  if (ours) return std::nullopt;
  return fmt::format("header {} was not made from this id and body with any of security.keys",
                     kSignatureHeader);
}

}  // namespace iq
