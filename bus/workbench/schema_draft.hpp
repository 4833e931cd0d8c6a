// A first schema for a source, drawn from a sample of it: what stands where, in any order, in which shape. Pure.
#pragma once

#include <string>

#include "workbench/sample.hpp"

namespace clrbus::workbench {

// It accepts every record of the sample, and refuses an element that the sample never had.
std::string draft_schema(const Sample& sample);

}  // namespace clrbus::workbench
