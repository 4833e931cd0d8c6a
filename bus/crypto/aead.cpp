#include "crypto/aead.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <climits>
#include <cstring>

#include "crypto/handles.hpp"
#include "crypto/hash.hpp"
#include "crypto/password.hpp"
#include "crypto/secret_file.hpp"

namespace clrbus::crypto {

namespace {

constexpr char kAeadVersion = 1;
constexpr std::size_t kAeadNonce = 12;
constexpr std::size_t kAeadTag = 16;
constexpr std::size_t kAeadHead = 1 + 4 + kAeadNonce;
constexpr std::size_t kKeyFileMost = 1000;

const EVP_CIPHER* aead_algorithm() {
    static const EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    if (algorithm == nullptr) detail::fail(Fault::kConfig, "CRYPTO-001", "loading AES-256-GCM");
    return algorithm;
}

// A call of the random generator costs three times the encryption of 1 KB: 64 nonces are drawn at once, per thread.
void aead_nonce(unsigned char* out) {
    thread_local std::array<unsigned char, kAeadNonce * 64> block;
    thread_local std::size_t used = block.size();
    if (used == block.size()) {
        if (RAND_bytes(block.data(), static_cast<int>(block.size())) != 1)
            detail::fail(Fault::kConfig, "CRYPTO-001", "getting random bytes");
        used = 0;
    }
    std::memcpy(out, block.data() + used, kAeadNonce);
    used += kAeadNonce;
}

std::uint32_t aead_read_id(std::string_view sealed) {
    std::uint32_t id = 0;
    for (std::size_t i = 1; i <= 4; ++i) id = id << 8 | static_cast<unsigned char>(sealed[i]);
    return id;
}

void aead_check_form(std::string_view sealed) {
    if (sealed.size() < AeadKey::kOverhead || sealed.size() > INT_MAX || sealed[0] != kAeadVersion)
        detail::fail(Fault::kPoison, "CRYPTO-031", "opening sealed data", "it is not in the sealed form");
}

const unsigned char* aead_bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

struct AeadKey::Impl {
    std::string key;  // a context of this library version cannot be copied, so each call sets the key (0.3 us)
    std::uint32_t id = 0;

    ~Impl() { OPENSSL_cleanse(key.data(), key.size()); }
};

AeadKey::AeadKey(std::string_view key) : impl_(std::make_unique<Impl>()) {
    if (key.size() != 32) detail::fail(Fault::kConfig, "CRYPTO-030", "preparing a key", "it does not have 32 bytes");
    impl_->key = key;
    impl_->id = aead_read_id("\1" + sha256("clrbus key id\n" + impl_->key));
}

AeadKey::~AeadKey() = default;
AeadKey::AeadKey(AeadKey&&) noexcept = default;
AeadKey& AeadKey::operator=(AeadKey&&) noexcept = default;

std::uint32_t AeadKey::id() const {
    return impl_->id;
}

std::string AeadKey::seal(std::string_view plain, std::string_view additional) const {
    if (plain.size() > INT_MAX - kOverhead || additional.size() > INT_MAX)
        detail::fail(Fault::kPoison, "CRYPTO-034", "sealing data", "it is larger than 2 GB");
    const detail::Handle<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
    std::string out(plain.size() + kOverhead, '\0');
    out[0] = kAeadVersion;
    for (std::size_t i = 0; i < 4; ++i) out[1 + i] = static_cast<char>(impl_->id >> (24 - 8 * i));
    auto* bytes = reinterpret_cast<unsigned char*>(out.data());
    aead_nonce(bytes + 5);
    int size = 0;
    if (!context || EVP_EncryptInit_ex2(context.get(), aead_algorithm(), aead_bytes(impl_->key), bytes + 5, nullptr) != 1 ||
        (!additional.empty() &&
         EVP_EncryptUpdate(context.get(), nullptr, &size, aead_bytes(additional), static_cast<int>(additional.size())) != 1) ||
        (!plain.empty() &&
         EVP_EncryptUpdate(context.get(), bytes + kAeadHead, &size, aead_bytes(plain), static_cast<int>(plain.size())) != 1) ||
        EVP_EncryptFinal_ex(context.get(), bytes + kAeadHead + plain.size(), &size) != 1 ||
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTag, bytes + kAeadHead + plain.size()) != 1)
        detail::fail(Fault::kConfig, "CRYPTO-001", "sealing data");
    return out;
}

std::string AeadKey::open(std::string_view sealed, std::string_view additional) const {
    aead_check_form(sealed);
    if (aead_read_id(sealed) != impl_->id)
        detail::fail(Fault::kPoison, "CRYPTO-033", "opening sealed data", "it was sealed with another key");
    const detail::Handle<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
    const std::string_view cipher = sealed.substr(kAeadHead, sealed.size() - kOverhead);
    std::array<unsigned char, kAeadTag> tag;
    std::memcpy(tag.data(), sealed.data() + sealed.size() - kAeadTag, kAeadTag);
    std::string out(cipher.size(), '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(out.data());
    int size = 0;
    unsigned char none = 0;
    if (!context || additional.size() > INT_MAX ||
        EVP_DecryptInit_ex2(context.get(), aead_algorithm(), aead_bytes(impl_->key), aead_bytes(sealed) + 5, nullptr) != 1 ||
        (!additional.empty() &&
         EVP_DecryptUpdate(context.get(), nullptr, &size, aead_bytes(additional), static_cast<int>(additional.size())) != 1) ||
        (!cipher.empty() &&
         EVP_DecryptUpdate(context.get(), bytes, &size, aead_bytes(cipher), static_cast<int>(cipher.size())) != 1) ||
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTag, tag.data()) != 1 ||
        EVP_DecryptFinal_ex(context.get(), &none, &size) != 1)
        detail::fail(Fault::kPoison, "CRYPTO-031", "opening sealed data", "it was changed, or belongs to another place");
    return out;
}

struct KeyFile::Impl {
    std::vector<AeadKey> keys;  // newest first
    std::string oldest;         // raw, for derive()
};

KeyFile::KeyFile() : impl_(std::make_unique<Impl>()) {}
KeyFile::~KeyFile() = default;
KeyFile::KeyFile(KeyFile&&) noexcept = default;
KeyFile& KeyFile::operator=(KeyFile&&) noexcept = default;

KeyFile KeyFile::load(const std::filesystem::path& file) {
    const std::string text = read_secret_file(file);
    KeyFile out;
    std::string_view rest = text;
    Where where;
    where.file = file.string();
    while (!rest.empty()) {
        ++where.line;
        const auto end = rest.find('\n');
        const auto key = from_hex(rest.substr(0, end));
        if (!key || key->size() != 32 || out.impl_->keys.size() == kKeyFileMost)
            throw Error(Fault::kConfig, "CRYPTO-032", "reading a key file", where,
                        "expected one key of 64 hexadecimal digits in each line");
        out.impl_->keys.emplace_back(*key);
        out.impl_->oldest = *key;
        rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    }
    if (out.impl_->keys.empty()) throw Error(Fault::kConfig, "CRYPTO-032", "reading a key file", where, "it holds no key");
    return out;
}

KeyFile KeyFile::load_or_create(const std::filesystem::path& file) {
    if (!std::filesystem::exists(std::filesystem::symlink_status(file)))
        create_secret_file(file, to_hex(random_bytes(32)) + "\n");
    return load(file);
}

void KeyFile::rotate(const std::filesystem::path& file) {
    load(file);  // refuses what is not a key file before it is rewritten
    write_secret_file(file, to_hex(random_bytes(32)) + "\n" + read_secret_file(file));
}

const AeadKey& KeyFile::current() const {
    return impl_->keys.front();
}

std::string KeyFile::open(std::string_view sealed, std::string_view additional) const {
    aead_check_form(sealed);
    const std::uint32_t id = aead_read_id(sealed);
    for (const AeadKey& key : impl_->keys)
        if (key.id() == id) return key.open(sealed, additional);
    detail::fail(Fault::kPoison, "CRYPTO-033", "opening sealed data", "the key file does not hold the key that sealed it");
}

std::string KeyFile::derive(std::string_view purpose) const {
    return hmac_sha256(impl_->oldest, "clrbus derived key\n" + std::string(purpose));
}

std::size_t KeyFile::size() const {
    return impl_->keys.size();
}

std::vector<std::uint32_t> KeyFile::ids() const {
    std::vector<std::uint32_t> out;
    for (const AeadKey& key : impl_->keys) out.push_back(key.id());
    return out;
}

}  // namespace clrbus::crypto
