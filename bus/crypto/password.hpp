// Random bytes, password hashing and the server's and client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677). Any thread.
// Passwords are taken as they are: the caller prepares them (SASLprep) if it takes more than printable ASCII.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace clrbus::crypto {

std::string random_bytes(std::size_t count);
std::string random_token(std::size_t bytes = 32);  // base64url

// iterations 1 … 10 million, length 1 … 1024. Throws Error(kConfig, "CRYPTO-020").
std::string pbkdf2_sha256(std::string_view password, std::string_view salt, std::uint32_t iterations, std::size_t length);
// n: a power of two, at most 2^20; memory is 128 * n * r bytes, at most 256 MB. Throws Error(kConfig, "CRYPTO-020").
std::string scrypt(std::string_view password, std::string_view salt, std::uint64_t n, std::uint32_t r, std::uint32_t p,
                   std::size_t length);

// What a server keeps of a password. It serves SCRAM-SHA-256 and PLAIN, and does not give the password away.
struct ScramSecret {
    std::string salt;  // raw bytes, as stored_key and server_key
    std::uint32_t iterations = 0;
    std::string stored_key;
    std::string server_key;

    // SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER in base64, the form that other servers keep too.
    std::string encode() const;
    static std::optional<ScramSecret> decode(std::string_view text);  // 4096 … 10 million iterations, 8 … 128 bytes of salt
};

inline constexpr std::uint32_t kScramIterations = 100'000;

ScramSecret make_scram_secret(std::string_view password, std::string_view salt, std::uint32_t iterations);
ScramSecret make_scram_secret(std::string_view password);  // random salt, kScramIterations

// PLAIN: derives the keys again, so it costs what the iterations cost.
bool scram_password_matches(const ScramSecret& secret, std::string_view password);
// auth_message: client-first-bare , server-first , client-final-without-proof (RFC 5802 section 3).
bool scram_proof_matches(const ScramSecret& secret, std::string_view auth_message, std::string_view client_proof);
std::string scram_server_signature(const ScramSecret& secret, std::string_view auth_message);
std::string scram_client_proof(std::string_view password, std::string_view salt, std::uint32_t iterations,
                               std::string_view auth_message);
// A secret for a user who does not exist: salt and cost do not tell that. The same name gives the same salt while key lasts.
ScramSecret make_scram_decoy(std::string_view key, std::string_view user, std::uint32_t iterations = kScramIterations);

}  // namespace clrbus::crypto
