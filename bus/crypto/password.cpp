#include "crypto/password.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <charconv>
#include <climits>

#include "crypto/base64.hpp"
#include "crypto/handles.hpp"
#include "crypto/hash.hpp"

namespace clrbus::crypto {

namespace {

constexpr std::uint32_t kMostIterations = 10'000'000;
constexpr std::uint64_t kScryptMemory = 256u << 20;

[[noreturn]] void password_refuse(std::string why) {
    detail::fail(Fault::kConfig, "CRYPTO-020", "deriving a key from a password", std::move(why));
}

std::string password_xor(std::string_view a, std::string_view b) {
    std::string out(a);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
    return out;
}

}  // namespace

std::string random_bytes(std::size_t count) {
    std::string out(count, '\0');
    if (count > INT_MAX ||
        (count != 0 && RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1))
        detail::fail(Fault::kConfig, "CRYPTO-001", "getting random bytes");
    return out;
}

std::string random_token(std::size_t bytes) {
    return base64url(random_bytes(bytes));
}

std::string pbkdf2_sha256(std::string_view password, std::string_view salt, std::uint32_t iterations, std::size_t length) {
    if (iterations == 0 || iterations > kMostIterations) password_refuse("iterations must be 1 to 10000000");
    if (length == 0 || length > 1024) password_refuse("the length must be 1 to 1024 bytes");
    if (password.size() > INT_MAX || salt.size() > INT_MAX) password_refuse("password or salt is too long");
    std::string out(length, '\0');
    if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                          reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                          static_cast<int>(iterations), detail::sha256_algorithm(), static_cast<int>(length),
                          reinterpret_cast<unsigned char*>(out.data())) != 1)
        detail::fail(Fault::kConfig, "CRYPTO-001", "deriving a key from a password");
    return out;
}

std::string scrypt(std::string_view password, std::string_view salt, std::uint64_t n, std::uint32_t r, std::uint32_t p,
                   std::size_t length) {
    if (n < 2 || (n & (n - 1)) != 0 || n > (1u << 20)) password_refuse("n must be a power of two, at most 1048576");
    if (r == 0 || r > 64 || p == 0 || p > 64) password_refuse("r and p must be 1 to 64");
    if (128 * n * r > kScryptMemory) password_refuse("it would take more than 256 MB");
    if (length == 0 || length > 1024) password_refuse("the length must be 1 to 1024 bytes");
    std::string out(length, '\0');
    if (EVP_PBE_scrypt(password.data(), password.size(), reinterpret_cast<const unsigned char*>(salt.data()), salt.size(), n, r,
                       p, kScryptMemory + (32u << 20), reinterpret_cast<unsigned char*>(out.data()), length) != 1)
        detail::fail(Fault::kConfig, "CRYPTO-001", "deriving a key from a password");
    return out;
}

std::string ScramSecret::encode() const {
    return "SCRAM-SHA-256$" + std::to_string(iterations) + ":" + base64(salt) + "$" + base64(stored_key) + ":" +
           base64(server_key);
}

std::optional<ScramSecret> ScramSecret::decode(std::string_view text) {
    constexpr std::string_view prefix = "SCRAM-SHA-256$";
    if (!text.starts_with(prefix)) return std::nullopt;
    text.remove_prefix(prefix.size());
    const auto colon = text.find(':');
    const auto dollar = text.find('$');
    const auto second = text.rfind(':');
    if (colon == text.npos || dollar == text.npos || colon > dollar || second < dollar) return std::nullopt;
    ScramSecret out;
    const auto number = std::from_chars(text.data(), text.data() + colon, out.iterations);
    if (number.ec != std::errc() || number.ptr != text.data() + colon) return std::nullopt;
    auto salt = from_base64(text.substr(colon + 1, dollar - colon - 1));
    auto stored = from_base64(text.substr(dollar + 1, second - dollar - 1));
    auto server = from_base64(text.substr(second + 1));
    if (!salt || !stored || !server || out.iterations < 4096 || out.iterations > kMostIterations || salt->size() < 8 ||
        salt->size() > 128 || stored->size() != 32 || server->size() != 32)
        return std::nullopt;
    out.salt = std::move(*salt);
    out.stored_key = std::move(*stored);
    out.server_key = std::move(*server);
    return out;
}

ScramSecret make_scram_secret(std::string_view password, std::string_view salt, std::uint32_t iterations) {
    const std::string salted = pbkdf2_sha256(password, salt, iterations, 32);
    return {std::string(salt), iterations, sha256(hmac_sha256(salted, "Client Key")), hmac_sha256(salted, "Server Key")};
}

ScramSecret make_scram_secret(std::string_view password) {
    return make_scram_secret(password, random_bytes(16), kScramIterations);
}

bool scram_password_matches(const ScramSecret& secret, std::string_view password) {
    return constant_time_equal(make_scram_secret(password, secret.salt, secret.iterations).stored_key, secret.stored_key);
}

bool scram_proof_matches(const ScramSecret& secret, std::string_view auth_message, std::string_view client_proof) {
    if (client_proof.size() != 32) return false;
    const std::string client_key = password_xor(client_proof, hmac_sha256(secret.stored_key, auth_message));
    return constant_time_equal(sha256(client_key), secret.stored_key);
}

std::string scram_server_signature(const ScramSecret& secret, std::string_view auth_message) {
    return hmac_sha256(secret.server_key, auth_message);
}

std::string scram_client_proof(std::string_view password, std::string_view salt, std::uint32_t iterations,
                               std::string_view auth_message) {
    const std::string client_key = hmac_sha256(pbkdf2_sha256(password, salt, iterations, 32), "Client Key");
    return password_xor(client_key, hmac_sha256(sha256(client_key), auth_message));
}

ScramSecret make_scram_decoy(std::string_view key, std::string_view user, std::uint32_t iterations) {
    ScramSecret out;
    out.salt = hmac_sha256(key, "decoy salt\n" + std::string(user)).substr(0, 16);
    out.iterations = iterations;
    out.stored_key = random_bytes(32);
    out.server_key = random_bytes(32);
    return out;
}

}  // namespace clrbus::crypto
