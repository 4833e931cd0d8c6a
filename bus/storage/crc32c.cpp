#include "storage/crc32c.hpp"

#include <array>
#include <cstddef>
#include <cstring>

namespace clrbus::storage {
namespace {

// Eight tables: eight bytes a step ("slicing by 8").
constexpr auto kCrcTables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
        tables[0][i] = crc;
    }
    for (std::uint32_t i = 0; i < 256; ++i) {
        for (std::size_t t = 1; t < 8; ++t) tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xFF];
    }
    return tables;
}();

#if defined(__x86_64__)
// The instruction takes three cycles and a new one can begin with each: three stretches of the bytes are worked on side by
// side, and their sums joined. kJoin[n][b] is what byte n of a sum, when it is b, becomes behind kStretch zeros.
constexpr std::size_t kStretch = 1024;
constexpr auto kJoin = [] {
    std::array<std::array<std::uint32_t, 256>, 4> tables{};
    for (std::size_t n = 0; n < 4; ++n) {
        for (std::size_t bit = 0; bit < 8; ++bit) {
            std::uint32_t crc = 1U << (8 * n + bit);
            for (std::size_t i = 0; i < kStretch; ++i) crc = (crc >> 8) ^ kCrcTables[0][crc & 0xFF];
            tables[n][1U << bit] = crc;
        }
        for (std::size_t b = 1; b < 256; ++b) tables[n][b] = tables[n][b & (b - 1)] ^ tables[n][b & (~b + 1)];
    }
    return tables;
}();

std::uint32_t crc_behind_zeros(std::uint64_t crc) {
    return kJoin[0][crc & 0xFF] ^ kJoin[1][(crc >> 8) & 0xFF] ^ kJoin[2][(crc >> 16) & 0xFF] ^ kJoin[3][(crc >> 24) & 0xFF];
}

__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::uint32_t crc, std::string_view bytes) {
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t wide = ~crc;
    for (; left >= 3 * kStretch; left -= 3 * kStretch, at += 3 * kStretch) {
        std::uint64_t second = 0, third = 0;
        for (std::size_t i = 0; i < kStretch; i += 8) {
            std::uint64_t words[3];
            std::memcpy(&words[0], at + i, 8);
            std::memcpy(&words[1], at + i + kStretch, 8);
            std::memcpy(&words[2], at + i + 2 * kStretch, 8);
            wide = __builtin_ia32_crc32di(wide, words[0]);
            second = __builtin_ia32_crc32di(second, words[1]);
            third = __builtin_ia32_crc32di(third, words[2]);
        }
        wide = crc_behind_zeros(wide) ^ second;
        wide = crc_behind_zeros(wide) ^ third;
    }
    for (; left >= 8; left -= 8, at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    auto narrow = static_cast<std::uint32_t>(wide);
    for (; left > 0; --left, ++at) narrow = __builtin_ia32_crc32qi(narrow, static_cast<unsigned char>(*at));
    return ~narrow;
}
#endif

}  // namespace

std::uint32_t crc32c_portable(std::uint32_t crc, std::string_view bytes) {
    const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
    std::size_t left = bytes.size();
    crc = ~crc;
    for (; left >= 8; left -= 8, at += 8) {
        crc ^= static_cast<std::uint32_t>(at[0]) | static_cast<std::uint32_t>(at[1]) << 8 |
               static_cast<std::uint32_t>(at[2]) << 16 | static_cast<std::uint32_t>(at[3]) << 24;
        crc = kCrcTables[7][crc & 0xFF] ^ kCrcTables[6][(crc >> 8) & 0xFF] ^ kCrcTables[5][(crc >> 16) & 0xFF] ^
              kCrcTables[4][crc >> 24] ^ kCrcTables[3][at[4]] ^ kCrcTables[2][at[5]] ^ kCrcTables[1][at[6]] ^
              kCrcTables[0][at[7]];
    }
    for (; left > 0; --left, ++at) crc = (crc >> 8) ^ kCrcTables[0][(crc ^ *at) & 0xFF];
    return ~crc;
}

std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes) {
#if defined(__x86_64__)
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    if (has_instruction) return crc32c_sse42(crc, bytes);
#endif
    return crc32c_portable(crc, bytes);
}

}  // namespace clrbus::storage
