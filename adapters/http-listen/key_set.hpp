// The sender's public keys: a JWK set in a file, read again when the file changes, so that a monthly rotation needs no restart.
// A file that cannot be read leaves the keys as they were. Any thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/signing.hpp"

namespace clrbus::adapters::http_listen {

// kid -> key. Keys without a kid and of other kinds than RSA, EC P-256 and Ed25519 are left out. Throws Error(kConfig,
// "HTL-001") for what is no JWK set, has no usable key, or one kid twice.
std::map<std::string, crypto::PublicKey> read_key_set(std::string_view json);

class KeySet {
public:
    explicit KeySet(std::filesystem::path file);  // throws Error(kConfig, "HTL-001")

    // now: the file is looked at once a second at most.
    std::optional<crypto::PublicKey> find(const std::string& kid, std::chrono::steady_clock::time_point now);
    std::string problem() const;  // "" or why the file as it is now was not taken

private:
    void refresh(std::chrono::steady_clock::time_point now);

    const std::filesystem::path file_;
    mutable std::mutex mutex_;
    std::map<std::string, crypto::PublicKey> keys_;
    std::string stamp_;  // of the file that was read last
    std::string problem_;
    std::chrono::steady_clock::time_point looked_{};
};

}  // namespace clrbus::adapters::http_listen
