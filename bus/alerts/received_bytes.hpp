// What a TCP socket took from its peer so far. For alerts/ alone.
#pragma once

#include <cstdint>

namespace clrbus::alerts {

std::uint64_t received_bytes(int fd);  // 0 when the system does not say

}  // namespace clrbus::alerts
