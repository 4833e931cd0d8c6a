// Business keys and identifiers as 64 bits of a keyed hash: who has the index, and not the key, cannot tell what stands in it.
// Any thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "crypto/hash.hpp"

namespace clrbus::trace {

inline constexpr const char* kKeyPurpose = "trace keys";  // crypto::KeyFile::derive

class KeyHasher {
public:
    explicit KeyHasher(std::string_view key) : hash_(key) {}
    std::uint64_t operator()(std::string_view value) const {
        std::uint64_t out = 0;
        std::memcpy(&out, hash_.raw(value).data(), sizeof out);
        return out;
    }

private:
    crypto::KeyedHash hash_;
};

}  // namespace clrbus::trace
