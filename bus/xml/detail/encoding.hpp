// For bus/xml alone: which encoding the bytes are in, whether they keep to it, and a look at the prolog. Pure, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.hpp"

namespace clrbus::xml_detail {

struct Encoding {
    const char16_t* xerces_name = nullptr;
    enum class Kind : std::uint8_t { kUtf8, kUtf16Le, kUtf16Be, kOneByte } kind = Kind::kUtf8;
    std::size_t mark = 0;  // bytes of the byte order mark
};

// By the bytes first: marks and the look of "<?" in two-byte units; then, for one-byte encodings, what the declaration says.
// head: the first bytes, 1 KB if there are as many. Throws Error(kPoison, "XML-003" or "XML-010").
Encoding detect_encoding(std::string_view head);

// Throws Error(kPoison, "XML-002") with offset and line when the bytes (without the mark) are not what they are said to be.
// start: offset of bytes in the whole input.
void check_encoding(const Encoding& encoding, std::string_view bytes, std::size_t start);

bool is_blank_byte(char c);

// The error of a bad byte. before: all bytes in front of it that are at hand; line: of its first byte.
Error bad_byte(const Encoding& encoding, std::string_view before, std::uint64_t offset, std::uint64_t line, bool cut);

// Throws Error(kPoison, "XML-004") with the line when the prolog holds a DOCTYPE.
void refuse_doctype(const Encoding& encoding, std::string_view bytes);

}  // namespace clrbus::xml_detail
