// Bytes as hexadecimal text, and the digest that iq names contents by.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace iq {

// Two lower-case digits for each byte.
std::string Hex(std::span<const unsigned char> bytes);
std::string Hex(std::string_view bytes);

// Hex of the SHA-256 of `bytes`: 64 digits.
std::string Sha256Hex(std::string_view bytes);

}  // namespace iq
