// Reads a far side page by page over HTTP, by a schedule. Registered in adapters/CMakeLists.txt.
#pragma once

#include "adapter/adapter.hpp"

namespace clrbus::adapters::http_poll {

const AdapterInfo& adapter_info();

}  // namespace clrbus::adapters::http_poll
