// Text from outside: is it UTF-8, and can XML carry it? Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace clrbus {

enum class TextFault : std::uint8_t {
    kNone,
    kNotUtf8,    // broken, overlong, surrogate, or beyond U+10FFFF
    kForbidden,  // valid UTF-8, but no character of XML 1.0: a control character, U+FFFE, U+FFFF
};

struct TextCheck {
    TextFault fault = TextFault::kNone;
    std::size_t offset = 0;  // of the first bad byte

    explicit operator bool() const { return fault == TextFault::kNone; }
};

TextCheck check_text(std::string_view bytes);

std::uint64_t count_lines(std::string_view bytes);

// A place in a stream of bytes: moves over what was read. Columns count characters.
struct TextPlace {
    std::uint64_t offset = 0, line = 1, column = 1;
    void pass(std::string_view bytes);
};

// Appends a code point as UTF-8; the caller has checked that it is one.
void append_utf8(std::string& out, std::uint32_t code_point);

}  // namespace clrbus
