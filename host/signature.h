// Message signatures: whoever made this id and this body together holds one of our keys.
//
// A signature does not cover the other properties and headers, and it does not age: a copied
// message is known by its id for as long as the journal keeps that (journal.keep), and not after.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "host/broker/message.h"
#include "host/config.h"

namespace iq {

inline constexpr const char* kSignatureHeader = "x-iq-signature";

// HMAC-SHA256 with `key` over the property message_id (nothing where it is not set), a line feed
// and the body: 64 lower-case hex digits. The id must hold no line feed, or it could not be told
// where it ends.
std::string SignatureOf(const Message& message, std::string_view key);
bool IsSignable(const std::string& message_id);

// Why `message` is not to be believed; nothing where it is, or where no signature is asked for.
// Without keys a signature says nothing, and is not looked at.
std::optional<std::string> SignatureFault(const Message& message, const SecurityConfig& security);

}  // namespace iq
