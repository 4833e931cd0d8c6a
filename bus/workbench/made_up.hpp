// Records with values of the same shape in place of the real ones, for cases that everybody may see. The same value becomes the
// same made-up one, so that what belongs together still does. Pure.
#pragma once

#include <string>
#include <vector>

#include "workbench/sample.hpp"

namespace clrbus::workbench {

Document made_up(const Document& record, const Sample& sample);

// A file of these records as the source would write it, so that the route's own split and door read it.
std::string write_records(const std::vector<Document>& records, const Sample& sample);

}  // namespace clrbus::workbench
