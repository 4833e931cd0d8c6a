// The text of NAME.receipt.csv. Pure.
#pragma once

#include <string>

#include "adapter/adapter.hpp"

namespace clrbus::adapters::directory {

// A header, the line of the file as a whole (row empty), then a line for each record that did not get through.
std::string receipt_text(const Inbox::State& state);

}  // namespace clrbus::adapters::directory
