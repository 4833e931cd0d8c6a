// A list of names that a message holds: hostile until judged. Any thread.
#pragma once

#include <string_view>
#include <vector>

namespace clrbus {

// Separated by blanks or commas. Views into text. Throws Error(kPoison, "ROUTE-123") for more than 64 names or 4096 bytes, and
// for a name that is no route's ([a-z0-9][a-z0-9._-]{0,63}).
std::vector<std::string_view> names_in(std::string_view text, const char* doing);

}  // namespace clrbus
