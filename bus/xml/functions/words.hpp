// The f: functions on texts, numbers and regular expressions. Pure, any thread. UTF-8 in and out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace clrbus::xml_functions {

std::string_view trimmed(std::string_view text);  // XML white space and U+00A0 at both ends
std::string upper(std::string_view text);
std::string lower(std::string_view text);
// ASCII words in lower case joined by '-'; Latin letters lose their marks; everything else separates.
std::string slug(std::string_view text);
// A decimal without leading and trailing zeros; '' when it is none.
std::string number(std::string_view text);

// Perl syntax; searches anywhere unless the expression is anchored. Texts up to 64 KB. Throw Error(kPoison, "FUN-02x").
bool matches(std::string_view text, std::string_view expression);
std::string replace(std::string_view text, std::string_view expression, std::string_view replacement);  // $1, all of them
std::string group(std::string_view text, std::string_view expression, std::size_t n);  // '' when it does not match

// The base letters of U+00C0..U+024F and U+1E00..U+1EFF, "" for none.
std::string_view folded(char32_t c);

}  // namespace clrbus::xml_functions
