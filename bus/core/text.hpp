// Small things of text that several rooms need. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

namespace clrbus {

std::string_view trimmed(std::string_view text);  // without XML's white space at both ends

// For the content of an element and for an attribute in double quotes. White space other than blanks is kept as references.
std::string xml_escaped(std::string_view text);

}  // namespace clrbus
