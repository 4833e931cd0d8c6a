// What a far side answered, as a document. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "xml/document.hpp"

namespace clrbus {

// format: "xml", "json", or "": JSON where the content type says so, else XML. Throws Error(kPoison, "ROUTE-136") that may
// pass: it is the far side's mistake. Its text holds nothing of the answer.
Document read_answer(std::string_view endpoint, const std::string& format, std::string_view body,
                     const std::string& content_type);

}  // namespace clrbus
