// Harvests repositories by OAI-PMH 2.0. Registered in adapters/CMakeLists.txt.
#pragma once

#include "adapter/adapter.hpp"

namespace clrbus::adapters::oai_pmh {

const AdapterInfo& adapter_info();

}  // namespace clrbus::adapters::oai_pmh
