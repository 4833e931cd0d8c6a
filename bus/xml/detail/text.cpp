#include "xml/detail/text.hpp"

#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace clrbus::xml_detail {

namespace {

struct Utf8Lead {
    unsigned need;
    unsigned char low, high;  // range of the first continuation byte
};

// need = 0: not a lead byte.
Utf8Lead utf8_lead(unsigned char b) {
    if (b >= 0xC2 && b <= 0xDF) return {1, 0x80, 0xBF};
    if (b == 0xE0) return {2, 0xA0, 0xBF};
    if (b == 0xED) return {2, 0x80, 0x9F};
    if (b >= 0xE1 && b <= 0xEF) return {2, 0x80, 0xBF};
    if (b == 0xF0) return {3, 0x90, 0xBF};
    if (b >= 0xF1 && b <= 0xF3) return {3, 0x80, 0xBF};
    if (b == 0xF4) return {3, 0x80, 0x8F};
    return {0, 0, 0};
}

std::size_t skip_ascii(std::string_view bytes, std::size_t at) {
    while (at + 8 <= bytes.size()) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data() + at, 8);
        if (word & 0x8080808080808080ULL) break;
        at += 8;
    }
    while (at < bytes.size() && static_cast<unsigned char>(bytes[at]) < 0x80) ++at;
    return at;
}

}  // namespace

std::size_t first_bad_utf8(std::string_view bytes) {
    std::size_t at = 0;
    while ((at = skip_ascii(bytes, at)) < bytes.size()) {
        const Utf8Lead lead = utf8_lead(static_cast<unsigned char>(bytes[at]));
        if (lead.need == 0 || at + lead.need >= bytes.size()) return at;
        const auto second = static_cast<unsigned char>(bytes[at + 1]);
        if (second < lead.low || second > lead.high) return at;
        for (unsigned i = 2; i <= lead.need; ++i) {
            if ((static_cast<unsigned char>(bytes[at + i]) & 0xC0) != 0x80) return at;
        }
        at += lead.need + 1;
    }
    return kAllGood;
}

std::size_t first_bad_xml_char(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto b = static_cast<unsigned char>(bytes[i]);
        if (b < 0x20 && b != '\t' && b != '\n' && b != '\r') return i;
        if (b == 0xEF && i + 2 < bytes.size() && static_cast<unsigned char>(bytes[i + 1]) == 0xBF &&
            static_cast<unsigned char>(bytes[i + 2]) >= 0xBE) {
            return i;
        }
    }
    return first_bad_utf8(bytes);
}

std::size_t Utf8Check::feed(std::string_view piece) {
    std::size_t at = 0;
    while (at < piece.size()) {
        if (need_ == 0) {
            at = skip_ascii(piece, at);
            if (at == piece.size()) break;
            const Utf8Lead lead = utf8_lead(static_cast<unsigned char>(piece[at]));
            if (lead.need == 0) return at;
            need_ = lead.need;
            low_ = lead.low;
            high_ = lead.high;
            ++at;
            continue;
        }
        const auto b = static_cast<unsigned char>(piece[at]);
        if (b < low_ || b > high_) return at;
        low_ = 0x80;
        high_ = 0xBF;
        --need_;
        ++at;
    }
    return at;
}

void append_utf8(std::string& out, char32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | (c >> 18));
        out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    }
}

void append_utf8(std::string& out, const char16_t* text, std::size_t length) {
    const std::size_t start = out.size();
    out.resize(start + length * 3);  // the most that a UTF-16 unit can need
    char* to = out.data() + start;
    std::size_t i = 0;
    while (i < length) {
#ifdef __SSE2__
        const __m128i high_bits = _mm_set1_epi16(static_cast<short>(0xFF80));
        while (i + 8 <= length) {
            const __m128i units = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + i));
            const __m128i ascii = _mm_cmpeq_epi16(_mm_and_si128(units, high_bits), _mm_setzero_si128());
            if (_mm_movemask_epi8(ascii) != 0xFFFF) break;
            _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(units, units));
            to += 8;
            i += 8;
        }
        if (i == length) break;
#endif
        char32_t c = text[i++];
        if (c < 0x80) {
            *to++ = static_cast<char>(c);
            continue;
        }
        if (c >= 0xD800 && c < 0xDC00 && i < length) c = 0x10000 + ((c - 0xD800) << 10) + (text[i++] - 0xDC00u);
        if (c < 0x800) {
            *to++ = static_cast<char>(0xC0 | (c >> 6));
        } else {
            if (c < 0x10000) {
                *to++ = static_cast<char>(0xE0 | (c >> 12));
            } else {
                *to++ = static_cast<char>(0xF0 | ((c >> 18) & 7));
                *to++ = static_cast<char>(0x80 | ((c >> 12) & 0x3F));
            }
            *to++ = static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        }
        *to++ = static_cast<char>(0x80 | (c & 0x3F));
    }
    out.resize(static_cast<std::size_t>(to - out.data()));
}

char32_t next_character(std::string_view text, std::size_t& at) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const unsigned b = byte(at);
    if (b < 0x80) return ++at, b;
    if (b < 0xE0) return at += 2, ((b & 0x1F) << 6) | (byte(at - 1) & 0x3F);
    if (b < 0xF0) return at += 3, ((b & 0x0F) << 12) | ((byte(at - 2) & 0x3F) << 6) | (byte(at - 1) & 0x3F);
    at += 4;
    return ((b & 7) << 18) | ((byte(at - 3) & 0x3F) << 12) | ((byte(at - 2) & 0x3F) << 6) | (byte(at - 1) & 0x3F);
}

bool is_name_start(char32_t c) {
    if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    // XML 1.0, 4th edition letters are what every parser in use agrees on; the blocks below lie in both editions.
    return (c >= 0xC0 && c <= 0x131 && c != 0xD7 && c != 0xF7) || (c >= 0x134 && c <= 0x13E) || (c >= 0x141 && c <= 0x148) ||
           (c >= 0x14A && c <= 0x17E) || (c >= 0x391 && c <= 0x3A1) || (c >= 0x3A3 && c <= 0x3CE) ||
           (c >= 0x410 && c <= 0x44F) || (c >= 0x5D0 && c <= 0x5EA) || (c >= 0x621 && c <= 0x63A) ||
           (c >= 0x905 && c <= 0x939) || (c >= 0x3041 && c <= 0x3094) || (c >= 0x30A1 && c <= 0x30FA) ||
           (c >= 0x4E00 && c <= 0x9FA5) || (c >= 0xAC00 && c <= 0xD7A3);
}

bool is_name_char(char32_t c) {
    return is_name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == 0xB7;
}

bool is_name(std::string_view text) {
    if (text.empty() || first_bad_utf8(text) != kAllGood) return false;
    std::size_t at = 0;
    if (!is_name_start(next_character(text, at))) return false;
    while (at < text.size()) {
        if (!is_name_char(next_character(text, at))) return false;
    }
    return true;
}

}  // namespace clrbus::xml_detail
