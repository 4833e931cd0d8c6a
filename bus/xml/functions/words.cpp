#include "xml/functions/words.hpp"

#include <clocale>
#include <cwctype>

#include "xml/detail/text.hpp"

namespace clrbus::xml_functions {

namespace {

using xml_detail::append_utf8;
using xml_detail::next_character;

// The C library's own table for Unicode, whatever the locale of the process is.
locale_t words_locale() {
    static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;
}

template <typename Change>
std::string words_each(std::string_view text, const Change& change) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) append_utf8(out, change(next_character(text, at)));
    return out;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kNoBreak = "\xC2\xA0";
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    while (!text.empty()) {
        if (blank(text.front())) {
            text.remove_prefix(1);
        } else if (blank(text.back())) {
            text.remove_suffix(1);
        } else if (text.starts_with(kNoBreak)) {
            text.remove_prefix(2);
        } else if (text.ends_with(kNoBreak)) {
            text.remove_suffix(2);
        } else {
            break;
        }
    }
    return text;
}

std::string upper(std::string_view text) {
    return words_each(text, [](char32_t c) -> char32_t {
        if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
        return words_locale() != nullptr ? static_cast<char32_t>(::towupper_l(static_cast<wint_t>(c), words_locale())) : c;
    });
}

std::string lower(std::string_view text) {
    return words_each(text, [](char32_t c) -> char32_t {
        if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
        return words_locale() != nullptr ? static_cast<char32_t>(::towlower_l(static_cast<wint_t>(c), words_locale())) : c;
    });
}

std::string slug(std::string_view text) {
    std::string out;
    bool gap = false;
    const auto add = [&](char c) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
        if (gap && !out.empty()) out += '-';
        gap = false;
        out += c;
    };
    for (std::size_t at = 0; at < text.size();) {
        const char32_t c = next_character(text, at);
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
            add(static_cast<char>(c));
        } else if ((c >= 0x300 && c <= 0x36F) || c == '\'' || c == 0x2019) {
            continue;  // marks behind their letter, apostrophes
        } else if (const std::string_view base = folded(c); !base.empty()) {
            for (const char b : base) add(b);
        } else {
            gap = true;
        }
    }
    return out;
}

std::string number(std::string_view text) {
    text = trimmed(text);
    bool minus = false;
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
        minus = text.front() == '-';
        text.remove_prefix(1);
    }
    const std::size_t point = text.find('.');
    std::string whole(text.substr(0, point));
    std::string part(point == std::string_view::npos ? std::string_view() : text.substr(point + 1));
    if ((whole.empty() && part.empty()) || (whole + part).find_first_not_of("0123456789") != std::string::npos) return {};
    whole.erase(0, whole.find_first_not_of('0'));
    while (!part.empty() && part.back() == '0') part.pop_back();
    if (whole.empty()) whole = "0";
    if (!part.empty()) whole += "." + part;
    return minus && whole != "0" ? "-" + whole : whole;
}

}  // namespace clrbus::xml_functions
