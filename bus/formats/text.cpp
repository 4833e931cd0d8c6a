#include "formats/text.hpp"

#include <cstring>

namespace clrbus {
namespace {

constexpr std::uint64_t kTextOnes = ~std::uint64_t{0} / 255;  // 0x01 in every byte

// Bytes that need no closer look: printable ASCII. Eight at a time.
bool text_plain_word(const char* p) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    const std::uint64_t below_blank = (word - kTextOnes * 0x20) & ~word;
    return ((word | below_blank) & (kTextOnes * 0x80)) == 0;
}

bool text_continues(unsigned char byte) {
    return (byte & 0xC0) == 0x80;
}

}  // namespace

TextCheck check_text(std::string_view bytes) {
    const char* const data = bytes.data();
    const std::size_t size = bytes.size();
    std::size_t i = 0;
    const auto at = [&](std::size_t k) { return k < size ? static_cast<unsigned char>(data[k]) : 0U; };
    while (i < size) {
        if (size - i >= 8 && text_plain_word(data + i)) {
            i += 8;
            continue;
        }
        const unsigned lead = at(i);
        if (lead < 0x80) {
            if (lead < 0x20 && lead != '\t' && lead != '\n' && lead != '\r') return {TextFault::kForbidden, i};
            ++i;
        } else if (lead >= 0xC2 && lead < 0xE0) {
            if (!text_continues(at(i + 1))) return {TextFault::kNotUtf8, i};
            i += 2;
        } else if (lead >= 0xE0 && lead < 0xF0) {
            const unsigned second = at(i + 1);
            if (!text_continues(second) || !text_continues(at(i + 2)) || (lead == 0xE0 && second < 0xA0) ||
                (lead == 0xED && second >= 0xA0)) {
                return {TextFault::kNotUtf8, i};
            }
            if (lead == 0xEF && second == 0xBF && at(i + 2) >= 0xBE) return {TextFault::kForbidden, i};
            i += 3;
        } else if (lead >= 0xF0 && lead < 0xF5) {
            const unsigned second = at(i + 1);
            if (!text_continues(second) || !text_continues(at(i + 2)) || !text_continues(at(i + 3)) ||
                (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90)) {
                return {TextFault::kNotUtf8, i};
            }
            i += 4;
        } else {
            return {TextFault::kNotUtf8, i};
        }
    }
    return {};
}

std::uint64_t count_lines(std::string_view bytes) {
    std::uint64_t lines = 0;
    const char* p = bytes.data();
    const char* const end = p + bytes.size();
    while (p != end && (p = static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(end - p)))) != nullptr) {
        ++lines;
        ++p;
    }
    return lines;
}

void TextPlace::pass(std::string_view bytes) {
    offset += bytes.size();
    if (const std::size_t last = bytes.rfind('\n'); last != std::string_view::npos) {
        line += count_lines(bytes);
        column = 1;
        bytes.remove_prefix(last + 1);
    }
    // Every byte but the continuing ones (10xxxxxx), eight at a time.
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + i, 8);
        column += 8 - ((((word >> 7) & ~(word >> 6)) & kTextOnes) * kTextOnes >> 56);
    }
    for (; i < bytes.size(); ++i) column += (static_cast<unsigned char>(bytes[i]) & 0xC0) != 0x80 ? 1 : 0;
}

void append_utf8(std::string& out, std::uint32_t code_point) {
    const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code_point < 0x80) {
        put(code_point);
    } else if (code_point < 0x800) {
        put(0xC0 | code_point >> 6);
        put(0x80 | (code_point & 0x3F));
    } else if (code_point < 0x10000) {
        put(0xE0 | code_point >> 12);
        put(0x80 | (code_point >> 6 & 0x3F));
        put(0x80 | (code_point & 0x3F));
    } else {
        put(0xF0 | code_point >> 18);
        put(0x80 | (code_point >> 12 & 0x3F));
        put(0x80 | (code_point >> 6 & 0x3F));
        put(0x80 | (code_point & 0x3F));
    }
}

}  // namespace clrbus
