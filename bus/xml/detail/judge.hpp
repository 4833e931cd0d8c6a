// For bus/xml alone: libxml2's judgement over a tree, in our own words: names of elements and what was expected, never a value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "xml/schemas.hpp"

struct _xmlDoc;

namespace clrbus::xml_detail {

inline constexpr std::size_t kMostViolations = 50;

class SchemaUnit;

// Empty when the tree is valid.
std::vector<Violation> judge_tree(const SchemaUnit& unit, _xmlDoc* document, std::string_view file);

// The first one as the Error, all of them behind it. Not for an empty list.
ValidationError violations_error(std::vector<Violation> violations);

// A name of the document for an error text: printable and short.
std::string shown_name(std::string_view name);

}  // namespace clrbus::xml_detail
