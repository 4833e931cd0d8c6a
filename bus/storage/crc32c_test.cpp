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

TEST(Crc32c, Chains) {
    EXPECT_EQ(crc32c(crc32c(0, "hello "), "world"), crc32c(0, "hello world"));
}

}  // namespace
}  // namespace clrbus::storage
