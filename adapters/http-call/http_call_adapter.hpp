// Takes messages to a far side by HTTP, and asks it. Registered in adapters/CMakeLists.txt.
#pragma once

#include "adapter/adapter.hpp"

namespace clrbus::adapters::http_call {

const AdapterInfo& adapter_info();

}  // namespace clrbus::adapters::http_call
