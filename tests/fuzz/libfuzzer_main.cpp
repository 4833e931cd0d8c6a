// The entry that libFuzzer calls, for one target (CLRBUS_FUZZ_TARGET): see README.md.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    clrbus::fuzz::CLRBUS_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
    return 0;
}
