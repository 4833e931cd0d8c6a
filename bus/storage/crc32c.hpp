// CRC-32C (Castagnoli), by the SSE 4.2 instruction where the processor has it. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace clrbus::storage {

// Chains: crc32c(crc32c(0, a), b) == crc32c(0, a + b).
std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes);
std::uint32_t crc32c_portable(std::uint32_t crc, std::string_view bytes);

}  // namespace clrbus::storage
