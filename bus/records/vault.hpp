// How personal data lies in the store: keyed hashes to find it, compressed and sealed bodies to keep it. Internal to records/.
// Any thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "routing/apply_header.hpp"

namespace clrbus::crypto {
class KeyFile;
}

namespace clrbus::records {

// The first 64 bits of a keyed hash.
inline std::uint64_t trail_of(std::string_view hash) {
    std::uint64_t out = 0;
    if (hash.size() >= sizeof out) std::memcpy(&out, hash.data(), sizeof out);
    return out;
}

class Vault {
public:
    explicit Vault(const crypto::KeyFile& keys);  // the keys outlive me
    ~Vault();
    Vault(const Vault&) = delete;
    Vault& operator=(const Vault&) = delete;

    static constexpr std::size_t kHashBytes = 16;
    // A keyed hash of the parts below a purpose ("key", "id", …), cut to 16 bytes. The parts are told apart: ("ab","c") is not
    // ("a","bc").
    std::string hash(std::string_view purpose, std::string_view a, std::string_view b = {}, std::string_view c = {}) const;
    std::string full_hash(std::string_view purpose, std::string_view bytes) const;  // 32 bytes
    // A UUID (version 8) that nobody without the key can make from the parts: it shows in addresses and logs.
    std::string uuid(std::string_view purpose, std::string_view a, std::string_view b = {}) const;

    struct Body {
        ApplyHeader header;
        std::string xml;
    };
    // Bound to table and row: a body that was moved to another row does not open.
    std::string seal(std::string_view table, std::int64_t row, const std::string& apply_header, std::string_view xml) const;
    // The same in two steps: the first needs no row, and any thread may do it ahead.
    std::string pack(const std::string& apply_header, std::string_view xml) const;
    std::string seal_packed(std::string_view table, std::int64_t row, std::string_view packed) const;
    Body open(std::string_view table, std::int64_t row, std::string_view sealed) const;  // Error(kConfig, "REC-020")
    std::string seal_text(std::string_view table, std::int64_t row, std::string_view text) const;
    std::string open_text(std::string_view table, std::int64_t row, std::string_view sealed) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::records
