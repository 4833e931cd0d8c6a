// Days without a time zone become instants in the institution's zone.
#pragma once

#include <chrono>
#include <string>

#include "core/zone.hpp"

namespace clrbus::clr {

// 2024-05-17T00:00:00-05:00
std::string start_of_day(const Zone& zone, std::chrono::sys_days day);

}  // namespace clrbus::clr
