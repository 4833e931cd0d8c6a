// Single-byte encodings (windows-1252, iso-8859-x, EBCDIC code pages) to UTF-8 and back, by a table that iconv fills once. Any
// thread, read-only after it was made.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace clrbus {

class SingleByte {
public:
    // Null when iconv does not know the name or the encoding needs more than one byte for a character. Upper and lower case
    // are one.
    static std::shared_ptr<const SingleByte> find(const std::string& name);

    // 0 = no character. (No encoding here has U+0000 anywhere but at byte 0.)
    std::uint32_t character(unsigned char byte) const { return table_[byte]; }
    bool contains_ascii() const { return ascii_; }

    // Appends; false at the first byte that is no character, whose offset is left in bad.
    bool decode(std::string_view bytes, std::string& out, std::size_t& bad) const;
    // The reverse of UTF-8 text that is known to be valid; false at a character that the encoding lacks.
    bool encode(std::string_view utf8, std::string& out) const;

private:
    std::array<std::uint32_t, 256> table_{};
    std::unordered_map<std::uint32_t, char> back_;
    bool ascii_ = true;
};

// True for the names of UTF-8, the empty one included.
bool is_utf8_name(const std::string& name);

}  // namespace clrbus
