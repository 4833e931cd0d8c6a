// One field of a fixed-width line: from its columns to the tree's text and back. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "formats/fixed_layout.hpp"

namespace clrbus {

// What is wrong with a field: a code, and what was expected.
struct FixedFault {
    const char* code = nullptr;
    std::string expected;
    explicit operator bool() const { return code != nullptr; }
};

bool fixed_pattern_holds(const FixedField& field);

// The columns' text (UTF-8, not trimmed) as the tree has it, appended to out.
FixedFault fixed_read_value(const FixedField& field, std::string_view columns, std::string& out);
// The reverse: exactly field.length characters, appended to out.
FixedFault fixed_write_value(const FixedField& field, std::string_view text, std::string& out);

// A number as the tree has it, in units of 10^-decimals; nothing beyond 18 digits.
std::optional<std::int64_t> fixed_scaled(std::string_view text, std::size_t decimals);
std::string fixed_unscaled(std::int64_t value, std::size_t decimals);

std::size_t fixed_characters(std::string_view utf8);

}  // namespace clrbus
