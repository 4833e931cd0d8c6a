// What an X12 element may hold, by its type. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "formats/x12_tables.hpp"

namespace clrbus {

// Code of what is wrong ("X12-015" length, "X12-016" type, "X12-017" code), with what was expected; null when it is right.
const char* x12_check_value(const X12Use& use, std::string_view utf8, std::string& expected);

}  // namespace clrbus
