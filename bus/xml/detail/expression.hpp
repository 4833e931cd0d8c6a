// For bus/xml alone: finds the function calls in an XPath expression, without evaluating it. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace clrbus::xml_detail {

struct FoundCall {
    std::string prefix, name;
    std::size_t position = 0;  // in the expression
    std::size_t arguments = 0;
    std::string first_literal;  // of the first argument, when it is a literal
};

std::vector<FoundCall> find_calls(std::string_view expression);
bool is_core_function(std::string_view name);  // of XPath 1.0 and XSLT 1.0

}  // namespace clrbus::xml_detail
