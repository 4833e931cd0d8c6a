#include "crypto/hash.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>

#include <array>

#include "crypto/handles.hpp"

namespace clrbus::crypto {

namespace {

constexpr std::size_t kHashSize = 32;

EVP_MAC* hash_hmac_algorithm() {
    static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    if (algorithm == nullptr) detail::fail(Fault::kConfig, "CRYPTO-001", "loading HMAC");
    return algorithm;
}

const unsigned char* hash_bytes(std::string_view text) {
    static const unsigned char none = 0;  // HMAC refuses a null key even with length 0
    return text.data() == nullptr ? &none : reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string sha256(std::string_view bytes) {
    std::string out(kHashSize, '\0');
    unsigned size = 0;
    if (EVP_Digest(hash_bytes(bytes), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size,
                   detail::sha256_algorithm(), nullptr) != 1)
        detail::fail(Fault::kConfig, "CRYPTO-001", "hashing");
    return out;
}

std::string sha256_hex(std::string_view bytes) {
    return to_hex(sha256(bytes));
}

struct Sha256::Impl {
    detail::Handle<EVP_MD_CTX> context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
    reset();
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::reset() {
    if (!impl_->context || EVP_DigestInit_ex2(impl_->context.get(), detail::sha256_algorithm(), nullptr) != 1)
        detail::fail(Fault::kConfig, "CRYPTO-001", "starting a hash");
}

Sha256& Sha256::update(std::string_view bytes) {
    if (!bytes.empty() && EVP_DigestUpdate(impl_->context.get(), bytes.data(), bytes.size()) != 1)
        detail::fail(Fault::kConfig, "CRYPTO-001", "hashing");
    return *this;
}

std::string Sha256::raw() const {
    detail::Handle<EVP_MD_CTX> copy(EVP_MD_CTX_new());
    std::string out(kHashSize, '\0');
    if (!copy || EVP_MD_CTX_copy_ex(copy.get(), impl_->context.get()) != 1 ||
        EVP_DigestFinal_ex(copy.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr) != 1)
        detail::fail(Fault::kConfig, "CRYPTO-001", "finishing a hash");
    return out;
}

std::string Sha256::hex() const {
    return to_hex(raw());
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
    std::string out(kHashSize, '\0');
    unsigned size = 0;
    if (HMAC(detail::sha256_algorithm(), hash_bytes(key), static_cast<int>(key.size()), hash_bytes(bytes), bytes.size(),
             reinterpret_cast<unsigned char*>(out.data()), &size) == nullptr)
        detail::fail(Fault::kConfig, "CRYPTO-001", "computing a keyed hash");
    return out;
}

struct KeyedHash::Impl {
    detail::Handle<EVP_MAC_CTX> keyed;  // copied for each call, never advanced: so any thread may use it
};

KeyedHash::KeyedHash(std::string_view key) : impl_(std::make_unique<Impl>()) {
    if (key.size() < 16)
        detail::fail(Fault::kConfig, "CRYPTO-002", "preparing a keyed hash", "the key has fewer than 16 bytes");
    impl_->keyed.reset(EVP_MAC_CTX_new(hash_hmac_algorithm()));
    char digest[] = "SHA256";
    const std::array parameters{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    if (!impl_->keyed || EVP_MAC_init(impl_->keyed.get(), hash_bytes(key), key.size(), parameters.data()) != 1)
        detail::fail(Fault::kConfig, "CRYPTO-001", "preparing a keyed hash");
}

KeyedHash::~KeyedHash() = default;
KeyedHash::KeyedHash(KeyedHash&&) noexcept = default;
KeyedHash& KeyedHash::operator=(KeyedHash&&) noexcept = default;

std::string KeyedHash::raw(std::string_view bytes) const {
    const detail::Handle<EVP_MAC_CTX> context(EVP_MAC_CTX_dup(impl_->keyed.get()));
    std::string out(kHashSize, '\0');
    std::size_t size = 0;
    if (!context || EVP_MAC_update(context.get(), hash_bytes(bytes), bytes.size()) != 1 ||
        EVP_MAC_final(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, out.size()) != 1)
        detail::fail(Fault::kConfig, "CRYPTO-001", "computing a keyed hash");
    return out;
}

std::string KeyedHash::hex(std::string_view bytes) const {
    return to_hex(raw(bytes));
}

bool constant_time_equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

std::string to_hex(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out(bytes.size() * 2, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
    return out;
}

std::optional<std::string> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    std::string out(text.size() / 2, '\0');
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = digit(text[2 * i]);
        const int low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out[i] = static_cast<char>(high * 16 + low);
    }
    return out;
}

}  // namespace clrbus::crypto
