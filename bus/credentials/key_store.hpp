// The institution's signing keys: one current key per algorithm, and the public half of every key that ever signed, because a
// credential lives longer than its key. Folder (DIR/keys/, 0700): KID.pem (0600, current keys alone), KID.jwk (public, for
// ever), current (which key signs). Any thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "crypto/signing.hpp"

namespace clrbus::credentials {

// A key with the name that its tokens carry.
struct Signer {
    crypto::SigningKey key;
    std::string kid;  // a URL that answers with this one JWK, as the standard asks, or the bare thumbprint
};

class KeyStore {
public:
    // key_url: what stands before the thumbprint in a new key's kid, e.g. "https://clr.example.edu/.well-known/keys/"; may be
    // empty. Keys made earlier keep their kid. Missing keys of ES256 and EdDSA are made; RS256 takes a hundred times as long
    // and is made by make_missing, or when it is first asked for. Throws Error(kConfig, "KEYS-001") for a folder that does not
    // add up, and secret_file's errors.
    static KeyStore open(const std::filesystem::path& folder, std::string_view key_url, const Clock& clock);
    ~KeyStore();
    KeyStore(KeyStore&&) noexcept;
    KeyStore& operator=(KeyStore&&) noexcept;

    // Begins to make what is missing, on a thread of its own; published as soon as it exists. A crash on the way leaves a key
    // that nothing uses.
    void make_missing();
    // Waits for a key that is being made: Error(kAway, "KEYS-002") when that takes longer than a minute or fails.
    Signer current(crypto::Algorithm algorithm) const;
    // A key that ever signed, by its kid or its thumbprint.
    std::optional<crypto::PublicKey> find(std::string_view kid) const;
    // The JWK of one key, by its kid or thumbprint; empty when unknown.
    std::string jwk(std::string_view kid) const;
    // The JWK set with every key ever used, newest first; application/jwk-set+json.
    std::shared_ptr<const std::string> jwks() const;

    // A new current key. The old private key is deleted: what it signed stays verifiable, nothing new can be signed with it.
    Signer rotate(crypto::Algorithm algorithm);

    struct Info {
        std::string kid;
        crypto::Algorithm algorithm;
        std::string created;  // RFC 3339
        bool current = false;
    };
    std::vector<Info> list() const;  // newest first

private:
    KeyStore();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace clrbus::credentials
