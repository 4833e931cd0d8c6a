// For bus/xml alone: UTF-8 and UTF-16 checks and conversion. Pure, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace clrbus::xml_detail {

inline constexpr std::size_t kAllGood = static_cast<std::size_t>(-1);

// Offset of the first byte that is not UTF-8 (overlong forms and surrogates included), or kAllGood.
std::size_t first_bad_utf8(std::string_view bytes);
// The same, and characters that XML 1.0 cannot carry (control characters, U+FFFE, U+FFFF).
std::size_t first_bad_xml_char(std::string_view bytes);

// Checks a stream piece by piece: a sequence may be cut between two pieces.
class Utf8Check {
public:
    // The number of bytes of this piece that are good; less than its size: what follows is bad.
    std::size_t feed(std::string_view piece);
    bool complete() const { return need_ == 0; }

private:
    unsigned need_ = 0;                       // continuation bytes still to come
    unsigned char low_ = 0x80, high_ = 0xBF;  // range of the next one
};

void append_utf8(std::string& out, char32_t character);
// Well-formed UTF-16 (as Xerces gives it) to UTF-8.
void append_utf8(std::string& out, const char16_t* text, std::size_t length);

// The next character of well-formed UTF-8; at moves behind it.
char32_t next_character(std::string_view text, std::size_t& at);

bool is_name_start(char32_t c);
bool is_name_char(char32_t c);
bool is_name(std::string_view text);  // an XML name without a colon

}  // namespace clrbus::xml_detail
