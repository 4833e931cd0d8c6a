#include "core/ids.hpp"

#include <sys/random.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <vector>

#include "core/error.hpp"

namespace clrbus {
namespace {

using UuidBytes = std::array<std::uint8_t, 16>;

// 64 random values at a time: a call to the kernel costs more than the rest of an id.
void random_bytes(std::uint8_t* out, std::size_t size) {
    thread_local std::array<std::uint8_t, 1024> pool;
    thread_local std::size_t used = pool.size();
    if (used + size > pool.size()) {
        std::size_t filled = 0;
        while (filled < pool.size()) {
            const ssize_t n = getrandom(pool.data() + filled, pool.size() - filled, 0);
            if (n > 0) filled += static_cast<std::size_t>(n);
        }
        used = 0;
    }
    std::memcpy(out, pool.data() + used, size);
    std::memset(pool.data() + used, 0, size);
    used += size;
}

std::string uuid_text(const UuidBytes& bytes) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string out;
    out.reserve(36);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
        out += kHex[bytes[i] >> 4];
        out += kHex[bytes[i] & 15];
    }
    return out;
}

// SHA-1 (FIPS 180-4), for UUIDv5 only: RFC 4122 names it, and core links no crypto library. Not used to protect anything.
class NameDigest {
public:
    void update(const std::uint8_t* data, std::size_t size) {
        total_ += size;
        for (std::size_t i = 0; i < size; ++i) {
            block_[used_++] = data[i];
            if (used_ == 64) {
                compress();
                used_ = 0;
            }
        }
    }
    std::array<std::uint8_t, 20> finish() {
        const std::uint64_t bits = total_ * 8;
        const std::uint8_t one = 0x80, zero = 0;
        update(&one, 1);
        while (used_ != 56) update(&zero, 1);
        std::uint8_t length[8];
        for (int i = 0; i < 8; ++i) length[i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
        update(length, 8);
        std::array<std::uint8_t, 20> out;
        for (std::size_t i = 0; i < 20; ++i) out[i] = static_cast<std::uint8_t>(h_[i / 4] >> (24 - 8 * (i % 4)));
        return out;
    }

private:
    static std::uint32_t rotate(std::uint32_t v, int n) { return (v << n) | (v >> (32 - n)); }
    void compress() {
        std::uint32_t w[80];
        for (std::size_t i = 0; i < 16; ++i) {
            w[i] = static_cast<std::uint32_t>(block_[4 * i]) << 24 | static_cast<std::uint32_t>(block_[4 * i + 1]) << 16 |
                   static_cast<std::uint32_t>(block_[4 * i + 2]) << 8 | block_[4 * i + 3];
        }
        for (int i = 16; i < 80; ++i) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        std::uint32_t a = h_[0], b = h_[1], c = h_[2], d = h_[3], e = h_[4];
        for (int i = 0; i < 80; ++i) {
            std::uint32_t f, k;
            if (i < 20) {
                f = (b & c) | (~b & d);
                k = 0x5a827999;
            } else if (i < 40) {
                f = b ^ c ^ d;
                k = 0x6ed9eba1;
            } else if (i < 60) {
                f = (b & c) | (b & d) | (c & d);
                k = 0x8f1bbcdc;
            } else {
                f = b ^ c ^ d;
                k = 0xca62c1d6;
            }
            const std::uint32_t t = rotate(a, 5) + f + e + k + w[i];
            e = d;
            d = c;
            c = rotate(b, 30);
            b = a;
            a = t;
        }
        h_[0] += a;
        h_[1] += b;
        h_[2] += c;
        h_[3] += d;
        h_[4] += e;
    }
    std::uint32_t h_[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    std::uint8_t block_[64] = {};
    std::size_t used_ = 0;
    std::uint64_t total_ = 0;
};

UuidBytes parse_uuid(std::string_view text) {
    UuidBytes out{};
    std::size_t digits = 0;
    for (const char c : text) {
        if (c == '-') continue;
        int value = -1;
        if (c >= '0' && c <= '9') value = c - '0';
        if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
        if (c >= 'A' && c <= 'F') value = c - 'A' + 10;
        if (value < 0 || digits == 32) throw Error(Fault::kPoison, "CORE-005", "reading a UUID", "not a UUID");
        out[digits / 2] = static_cast<std::uint8_t>(out[digits / 2] << 4 | value);
        ++digits;
    }
    if (digits != 32) throw Error(Fault::kPoison, "CORE-005", "reading a UUID", "not a UUID");
    return out;
}

}  // namespace

std::string new_uuid() {
    UuidBytes bytes;
    random_bytes(bytes.data(), bytes.size());
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
    return uuid_text(bytes);
}

std::string new_ordered_uuid() {
    UuidBytes bytes;
    random_bytes(bytes.data() + 6, 10);
    const auto now =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    for (int i = 0; i < 6; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(now >> (40 - 8 * i));
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x70);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
    return uuid_text(bytes);
}

std::string name_uuid(std::string_view namespace_uuid, std::string_view name) {
    const UuidBytes space = parse_uuid(namespace_uuid);
    NameDigest digest;
    digest.update(space.data(), space.size());
    digest.update(reinterpret_cast<const std::uint8_t*>(name.data()), name.size());
    const auto hash = digest.finish();
    UuidBytes bytes;
    std::memcpy(bytes.data(), hash.data(), bytes.size());
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x50);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
    return uuid_text(bytes);
}

bool is_valid_name(std::string_view name) {
    const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (name.empty() || name.size() > 64 || !alnum(name[0])) return false;
    for (const char c : name) {
        if (!alnum(c) && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

}  // namespace clrbus
