// What a text looks like: a date in which spelling, a number, an id. Pure.
#pragma once

#include <string>
#include <string_view>

#include "workbench/sample.hpp"

namespace clrbus::workbench {

// pattern: set for a date that is not ISO, as f:parse-date reads it.
Shape shape_of(std::string_view text, std::string& pattern);

// The shape that holds both.
Shape joined(Shape a, Shape b);

bool is_utf8(std::string_view bytes);

// first_name, firstName, "First Name" -> "first name".
std::string spoken(std::string_view name);

}  // namespace clrbus::workbench
