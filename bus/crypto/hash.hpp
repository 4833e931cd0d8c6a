// SHA-256, HMAC-SHA-256 and hexadecimal text. The algorithms are fetched from the library once. Functions and KeyedHash: any
// thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace clrbus::crypto {

std::string sha256(std::string_view bytes);      // 32 raw bytes
std::string sha256_hex(std::string_view bytes);  // 64 lower case digits

// Streaming. One thread. raw() and hex() give the hash of all so far and leave the state as it is.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    Sha256& update(std::string_view bytes);
    std::string raw() const;
    std::string hex() const;
    void reset();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

std::string hmac_sha256(std::string_view key, std::string_view bytes);  // 32 raw bytes

// HMAC-SHA-256 with the key prepared once: keyed hashes of identifiers, ids that must not be guessed.
class KeyedHash {
public:
    explicit KeyedHash(std::string_view key);  // at least 16 bytes, else Error(kConfig, "CRYPTO-002")
    ~KeyedHash();
    KeyedHash(KeyedHash&&) noexcept;
    KeyedHash& operator=(KeyedHash&&) noexcept;
    std::string raw(std::string_view bytes) const;
    std::string hex(std::string_view bytes) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The time depends on the lengths alone.
bool constant_time_equal(std::string_view a, std::string_view b);

std::string to_hex(std::string_view bytes);                  // lower case
std::optional<std::string> from_hex(std::string_view text);  // either case; nothing else, even length

}  // namespace clrbus::crypto
