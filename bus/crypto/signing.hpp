// Keys that sign and keys that check: ES256 (P-256), RS256 (RSA, 2048 bits when made here) and EdDSA (Ed25519). Key objects are
// immutable; any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace clrbus::crypto {

enum class Algorithm : std::uint8_t { kEs256, kRs256, kEdDsa };
std::string_view to_string(Algorithm algorithm);  // "ES256", "RS256", "EdDSA", as JOSE writes them
std::optional<Algorithm> algorithm_from(std::string_view name);

class PublicKey {
public:
    // Throw Error(kPoison, "CRYPTO-050") for anything but a public key of the three kinds (RSA: 2048 to 8192 bits).
    static PublicKey from_pem(std::string_view pem);   // SubjectPublicKeyInfo, or a certificate
    static PublicKey from_jwk(std::string_view json);  // refuses a private member 'd', and an 'alg' that does not fit the key
    static PublicKey from_ed25519(std::string_view raw_32_bytes);

    Algorithm algorithm() const;
    // RSA and Ed25519: the plain signature; ES256: r and s, 64 bytes, as JOSE has it. False for anything that does not fit.
    bool verify(std::string_view bytes, std::string_view signature) const;
    std::string jwk() const;         // JSON object with kty, the key's members, alg, kid = thumbprint(), use sig
    std::string jwk_core() const;    // only the members of RFC 7638, in its order
    std::string thumbprint() const;  // RFC 7638, SHA-256, base64url
    std::string pem() const;
    std::string ed25519() const;  // 32 raw bytes; Error(kPoison, "CRYPTO-051") for another kind

    struct Impl;
    explicit PublicKey(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

private:
    std::shared_ptr<const Impl> impl_;  // shared by all copies
};

class SigningKey {
public:
    static SigningKey generate(Algorithm algorithm);
    static SigningKey from_pem(std::string_view pem);           // PKCS#8 or traditional, without a pass phrase; "CRYPTO-052"
    static SigningKey load(const std::filesystem::path& file);  // secret_file.hpp: 0600
    void store(const std::filesystem::path& file) const;        // PEM, PKCS#8, 0600
    std::string pem() const;

    Algorithm algorithm() const;
    std::string sign(std::string_view bytes) const;  // the form that PublicKey::verify takes
    const PublicKey& public_key() const;
    const std::string& kid() const;  // the public key's thumbprint

    struct Impl;
    explicit SigningKey(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

private:
    std::shared_ptr<const Impl> impl_;  // shared by all copies
};

}  // namespace clrbus::crypto
