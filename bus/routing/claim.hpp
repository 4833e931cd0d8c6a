// What stands in a message in the place of bytes that were put away in originals/: "claim:sha256:HEX;size=N;type=MEDIA". A
// plain text, so that it can be an element's content, a JSON value or a header. Pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace clrbus {

inline constexpr std::string_view kClaimHeader = "clrbus-claim";  // of a whole body

struct Claim {
    std::string sha256;  // 64 hexadecimal digits
    std::uint64_t size = 0;
    std::string media_type;

    std::string text() const;
    std::string original() const { return "sha256:" + sha256; }
    // nullopt for anything but what text() writes.
    static std::optional<Claim> parse(std::string_view text);
};

// type/subtype of RFC 6838, at most 127 characters each.
bool is_media_type(std::string_view text);

}  // namespace clrbus
