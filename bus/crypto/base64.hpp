// Binary as text. Decoders are strict: no white space, no missing or extra padding, no bits beyond the last byte, one spelling
// for each value. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace clrbus::crypto {

std::string base64(std::string_view bytes);     // RFC 4648 section 4, padded
std::string base64url(std::string_view bytes);  // RFC 4648 section 5, without padding, as JOSE writes it
std::optional<std::string> from_base64(std::string_view text);
std::optional<std::string> from_base64url(std::string_view text);

// Bitcoin alphabet, as multibase 'z' uses it. For keys and signatures: the cost grows with the square, so at most 1024 bytes
// (1400 characters) are taken; base58btc throws Error(kPoison, "CRYPTO-004") above.
std::string base58btc(std::string_view bytes);
std::optional<std::string> from_base58btc(std::string_view text);

}  // namespace clrbus::crypto
