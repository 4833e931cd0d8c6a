// For bus/xml alone: text for Xerces and back, without its transcoders.
#pragma once

#include <string>
#include <string_view>

#include "xml/detail/text.hpp"

namespace clrbus::xml_detail {

inline std::u16string to_utf16(std::string_view text) {
    std::u16string out;
    for (std::size_t at = 0; at < text.size();) {
        const char32_t c = next_character(text, at);
        if (c < 0x10000) {
            out += static_cast<char16_t>(c);
        } else {
            out += static_cast<char16_t>(0xD800 + ((c - 0x10000) >> 10));
            out += static_cast<char16_t>(0xDC00 + ((c - 0x10000) & 0x3FF));
        }
    }
    return out;
}

inline std::string to_utf8(const char16_t* text) {
    std::string out;
    if (text != nullptr) append_utf8(out, text, std::char_traits<char16_t>::length(text));
    return out;
}

}  // namespace clrbus::xml_detail
