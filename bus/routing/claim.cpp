#include "routing/claim.hpp"

#include <algorithm>
#include <charconv>

namespace clrbus {
namespace {

constexpr std::string_view kClaimStart = "claim:sha256:", kClaimSize = ";size=", kClaimType = ";type=";

bool is_media_name(std::string_view name) {
    return !name.empty() && name.size() <= 127 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("!#$&-^_.+").find(c) != std::string_view::npos;
    });
}

}  // namespace

bool is_media_type(std::string_view text) {
    const std::size_t slash = text.find('/');
    return slash != std::string_view::npos && is_media_name(text.substr(0, slash)) && is_media_name(text.substr(slash + 1));
}

std::string Claim::text() const {
    std::string out(kClaimStart);
    out += sha256;
    out += kClaimSize;
    out += std::to_string(size);
    out += kClaimType;
    out += media_type;
    return out;
}

std::optional<Claim> Claim::parse(std::string_view text) {
    constexpr std::size_t kHexDigits = 64;
    if (text.substr(0, kClaimStart.size()) != kClaimStart) return std::nullopt;
    text.remove_prefix(kClaimStart.size());
    Claim out;
    out.sha256 = text.substr(0, kHexDigits);
    if (out.sha256.size() != kHexDigits || out.sha256.find_first_not_of("0123456789abcdef") != std::string::npos)
        return std::nullopt;
    text.remove_prefix(kHexDigits);
    if (text.substr(0, kClaimSize.size()) != kClaimSize) return std::nullopt;
    text.remove_prefix(kClaimSize.size());
    const auto read = std::from_chars(text.data(), text.data() + text.size(), out.size);
    if (read.ec != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    if (text.substr(0, kClaimType.size()) != kClaimType) return std::nullopt;
    out.media_type = text.substr(kClaimType.size());
    if (!is_media_type(out.media_type)) return std::nullopt;
    return out;
}

}  // namespace clrbus
