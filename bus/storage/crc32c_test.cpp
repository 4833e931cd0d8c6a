#include "storage/crc32c.hpp"

#include <gtest/gtest.h>

#include <string>

namespace clrbus::storage {
namespace {

TEST(Crc32c, GivesTheValuesOfTheStandard) {
    EXPECT_EQ(crc32c(0, "123456789"), 0xE3069283U);
    EXPECT_EQ(crc32c(0, std::string(32, '\0')), 0x8A9136AAU);
    EXPECT_EQ(crc32c(0, ""), 0U);
}

TEST(Crc32c, IsTheSameWithAndWithoutTheInstruction) {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(crc32c(7, bytes), crc32c_portable(7, bytes)) << i;
        bytes += static_cast<char>(i * 37);
    }
}

TEST(Crc32c, IsTheSameForLongOnesThatAreWorkedOnInStretches) {
    std::string bytes(40'000, '\0');
    std::uint32_t random = 1;
    for (char& each : bytes) each = static_cast<char>((random = random * 1664525U + 1013904223U) >> 24);
    for (const std::size_t from : {0UL, 1UL, 5UL}) {
        for (const std::size_t size : {3071UL, 3072UL, 3073UL, 3080UL, 6143UL, 6144UL, 9217UL, 30'720UL, 39'990UL}) {
            const auto part = std::string_view(bytes).substr(from, size);
            EXPECT_EQ(crc32c(7, part), crc32c_portable(7, part)) << from << ", " << size;
            EXPECT_EQ(crc32c(crc32c(7, part.substr(0, 100)), part.substr(100)), crc32c_portable(7, part))
                << from << ", " << size;
        }
    }
}

TEST(Crc32c, Chains) {
    EXPECT_EQ(crc32c(crc32c(0, "hello "), "world"), crc32c(0, "hello world"));
}

}  // namespace
}  // namespace clrbus::storage
