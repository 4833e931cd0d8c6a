// <timer:every/>: the door that opens by the clock.
#pragma once

#include "adapter/adapter.hpp"

namespace clrbus::adapters::timer {

const AdapterInfo& adapter_info();

}  // namespace clrbus::adapters::timer
