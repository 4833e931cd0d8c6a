#include "crypto/base64.hpp"

#include <array>
#include <cstdint>
#include <vector>

#include "core/error.hpp"

namespace clrbus::crypto {

namespace {

constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64UrlDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kBase58Digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::size_t kBase58Bytes = 1024;
constexpr std::size_t kBase58Text = 1400;

constexpr std::array<std::int8_t, 256> base64_inverse(std::string_view digits) {
    std::array<std::int8_t, 256> table{};
    for (auto& entry : table) entry = -1;
    for (std::size_t i = 0; i < digits.size(); ++i) table[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
    return table;
}

std::string base64_encode(std::string_view bytes, std::string_view digits, bool pad) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    const auto at = [&](std::size_t i) -> std::uint32_t { return static_cast<unsigned char>(bytes[i]); };
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3) {
        const std::uint32_t three = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
        const char four[] = {digits[three >> 18], digits[three >> 12 & 63], digits[three >> 6 & 63], digits[three & 63]};
        out.append(four, 4);
    }
    const std::size_t rest = bytes.size() - i;
    if (rest == 0) return out;
    const std::uint32_t last = at(i) << 16 | (rest == 2 ? at(i + 1) << 8 : 0);
    out += digits[last >> 18];
    out += digits[last >> 12 & 63];
    if (rest == 2) out += digits[last >> 6 & 63];
    if (pad) out.append(3 - rest, '=');
    return out;
}

// text is free of padding.
std::optional<std::string> base64_decode(std::string_view text, const std::array<std::int8_t, 256>& inverse) {
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const std::int8_t value = inverse[static_cast<unsigned char>(c)];
        if (value < 0) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += static_cast<char>(bits >> count & 0xff);
        }
    }
    if ((bits & ((1u << count) - 1)) != 0) return std::nullopt;  // a second spelling of the same bytes
    return out;
}

}  // namespace

std::string base64(std::string_view bytes) {
    return base64_encode(bytes, kBase64Digits, true);
}
std::string base64url(std::string_view bytes) {
    return base64_encode(bytes, kBase64UrlDigits, false);
}

std::optional<std::string> from_base64(std::string_view text) {
    static constexpr auto inverse_table = base64_inverse(kBase64Digits);
    if (text.size() % 4 != 0) return std::nullopt;
    if (text.ends_with("==")) {
        text.remove_suffix(2);
        if (text.size() % 4 != 2) return std::nullopt;
    } else if (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    return base64_decode(text, inverse_table);
}

std::optional<std::string> from_base64url(std::string_view text) {
    static constexpr auto inverse_table = base64_inverse(kBase64UrlDigits);
    return base64_decode(text, inverse_table);
}

std::string base58btc(std::string_view bytes) {
    if (bytes.size() > kBase58Bytes)
        throw Error(Fault::kPoison, "CRYPTO-004", "writing base58",
                    "more than 1024 bytes; it is meant for keys and signatures");
    std::size_t zeros = 0;
    while (zeros < bytes.size() && bytes[zeros] == '\0') ++zeros;
    std::vector<std::uint8_t> digits;  // least significant first
    for (std::size_t i = zeros; i < bytes.size(); ++i) {
        std::uint32_t carry = static_cast<unsigned char>(bytes[i]);
        for (auto& digit : digits) {
            carry += static_cast<std::uint32_t>(digit) << 8;
            digit = static_cast<std::uint8_t>(carry % 58);
            carry /= 58;
        }
        for (; carry != 0; carry /= 58) digits.push_back(static_cast<std::uint8_t>(carry % 58));
    }
    std::string out(zeros, '1');
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) out += kBase58Digits[*digit];
    return out;
}

std::optional<std::string> from_base58btc(std::string_view text) {
    static constexpr auto inverse_table = base64_inverse(kBase58Digits);
    if (text.size() > kBase58Text) return std::nullopt;
    std::size_t zeros = 0;
    while (zeros < text.size() && text[zeros] == '1') ++zeros;
    std::vector<std::uint8_t> bytes;  // least significant first
    for (const char c : text.substr(zeros)) {
        const std::int8_t value = inverse_table[static_cast<unsigned char>(c)];
        if (value < 0) return std::nullopt;
        std::uint32_t carry = static_cast<unsigned char>(value);
        for (auto& byte : bytes) {
            carry += static_cast<std::uint32_t>(byte) * 58;
            byte = static_cast<std::uint8_t>(carry & 0xff);
            carry >>= 8;
        }
        for (; carry != 0; carry >>= 8) bytes.push_back(static_cast<std::uint8_t>(carry & 0xff));
    }
    std::string out(zeros, '\0');
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) out += static_cast<char>(*byte);
    return out;
}

}  // namespace clrbus::crypto
