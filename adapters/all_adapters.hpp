// The adapters that this build has, in the order of adapters/CMakeLists.txt. Only app/ and the contract tests ask.
#pragma once
#include <vector>

namespace clrbus {
struct AdapterInfo;
}
namespace clrbus::adapters {
std::vector<const AdapterInfo*> all_adapters();
}
