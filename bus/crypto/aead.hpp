// AES-256-GCM for what the product keeps: identifiers, journal records, secrets. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace clrbus::crypto {

// One 32-byte key. Sealed form: version 1 (1 byte), key id (4), nonce (12), ciphertext, tag (16). Nonces are random, drawn from
// a buffered block: stay below 2^32 seals for one key (rotate).
class AeadKey {
public:
    explicit AeadKey(std::string_view key);  // Error(kConfig, "CRYPTO-030") unless 32 bytes
    ~AeadKey();
    AeadKey(AeadKey&&) noexcept;
    AeadKey& operator=(AeadKey&&) noexcept;

    static constexpr std::size_t kOverhead = 1 + 4 + 12 + 16;

    std::uint32_t id() const;  // from the key's hash: the same key has the same id everywhere
    // The additional data is bound, not stored: what it belongs to (learner, source, column), so that a sealed value moved to
    // another row does not open.
    std::string seal(std::string_view plain, std::string_view additional) const;
    // Throws Error(kPoison, "CRYPTO-031") when it was changed, cut, moved, or sealed by another key.
    std::string open(std::string_view sealed, std::string_view additional) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The keys of one installation: the first seals, all open. A text file of mode 0600, one key in hexadecimal per line, newest
// first. Old keys stay, so that what they sealed opens for ever. Lose the file and what it sealed is lost: it belongs into the
// backup.
class KeyFile {
public:
    // Makes the file with one new key when there is none. Throws Error(kConfig, "CRYPTO-010", "-032") for a file that others
    // may read, or that holds anything else.
    static KeyFile load_or_create(const std::filesystem::path& file);
    static KeyFile load(const std::filesystem::path& file);
    ~KeyFile();
    KeyFile(KeyFile&&) noexcept;
    KeyFile& operator=(KeyFile&&) noexcept;

    const AeadKey& current() const;
    std::string seal(std::string_view plain, std::string_view additional) const { return current().seal(plain, additional); }
    std::string open(std::string_view sealed, std::string_view additional) const;  // "CRYPTO-033": no key of that id
    // 32 bytes for another use (a keyed hash): from the oldest key, so that rotation does not change it.
    std::string derive(std::string_view purpose) const;
    std::size_t size() const;
    std::vector<std::uint32_t> ids() const;  // newest first

    // A new current key in the file. Objects already loaded go on with what they know.
    static void rotate(const std::filesystem::path& file);

private:
    KeyFile();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::crypto
