// clrbus explain CODE: the entry of an error code in bus/CODES.md, which is built into the program.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace clrbus::app {

// "CODE\n\ntext", one a code; the first one is the head of the page. Made by tools/cmake/codes_text.cmake.
extern const std::initializer_list<std::string_view> kCodePages;

// Prints it. 1 when there is no such code, with those that look like it.
int explain(const std::string& code, bool json);

}  // namespace clrbus::app
