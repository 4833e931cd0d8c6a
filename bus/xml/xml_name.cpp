#include <cctype>
#include <cstdio>

#include "xml/detail/text.hpp"
#include "xml/document.hpp"

namespace clrbus {

namespace {

// The length of an escape _xHHHH_ (four to six digits, or none for the empty name) at this place, else 0.
std::size_t name_escape_length(std::string_view text, std::size_t at) {
    if (text.size() < at + 3 || text[at] != '_' || text[at + 1] != 'x') return 0;
    std::size_t i = at + 2;
    while (i < text.size() && i < at + 8 && std::isxdigit(static_cast<unsigned char>(text[i]))) ++i;
    const std::size_t digits = i - (at + 2);
    if (i >= text.size() || text[i] != '_' || (digits != 0 && digits < 4)) return 0;
    return i - at + 1;
}

void name_escape(std::string& out, char32_t c) {
    char escape[12];
    std::snprintf(escape, sizeof escape, "_x%04X_", static_cast<unsigned>(c));
    out += escape;
}

}  // namespace

std::string xml_name(std::string_view text) {
    if (text.empty()) return "_x_";
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        // A byte that is not UTF-8 cannot be kept: U+FFFD stands for it.
        std::size_t next = at;
        char32_t c = xml_detail::next_character(text, next);
        if (next > text.size() || xml_detail::first_bad_utf8(text.substr(at, next - at)) != xml_detail::kAllGood) {
            c = 0xFFFD;
            next = at + 1;
        }
        const bool fits = at == 0 ? xml_detail::is_name_start(c) : xml_detail::is_name_char(c);
        if (!fits || name_escape_length(text, at) != 0) {
            name_escape(out, c);
        } else {
            out.append(text, at, next - at);
        }
        at = next;
    }
    return out;
}

std::string original_name(std::string_view name) {
    if (name == "_x_") return {};
    std::string out;
    for (std::size_t at = 0; at < name.size();) {
        const std::size_t length = name_escape_length(name, at);
        if (length < 7) {
            out += name[at++];
            continue;
        }
        char32_t c = 0;
        for (std::size_t i = at + 2; i + 1 < at + length; ++i) {
            const char d = name[i];
            c = c * 16 + static_cast<char32_t>(d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10);
        }
        if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;
        xml_detail::append_utf8(out, c);
        at += length;
    }
    return out;
}

}  // namespace clrbus
