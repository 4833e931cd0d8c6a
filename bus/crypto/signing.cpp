#include "crypto/signing.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <array>

#include "crypto/base64.hpp"
#include "crypto/flat_json.hpp"
#include "crypto/handles.hpp"
#include "crypto/hash.hpp"
#include "crypto/secret_file.hpp"

namespace clrbus::crypto {

using detail::BigNumber;
using detail::fail;
using detail::PkeyHandle;

namespace {

constexpr std::string_view kReadingKey = "reading a public key";
constexpr int kRsaLeastBits = 2048;
constexpr int kRsaMostBits = 8192;  // a check with a larger key costs too much

struct SignatureFree {
    void operator()(ECDSA_SIG* p) const { ECDSA_SIG_free(p); }
    void operator()(OSSL_PARAM_BLD* p) const { OSSL_PARAM_BLD_free(p); }
    void operator()(OSSL_PARAM* p) const { OSSL_PARAM_free(p); }
};

[[noreturn]] void signing_refuse(std::string why) {
    fail(Fault::kPoison, "CRYPTO-050", std::string(kReadingKey), std::move(why));
}

Algorithm signing_algorithm(EVP_PKEY* key) {
    switch (EVP_PKEY_get_base_id(key)) {
        case EVP_PKEY_EC: {
            char group[64] = {};
            EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, nullptr);
            if (std::string_view(group) != "prime256v1") signing_refuse("the curve is not P-256");
            return Algorithm::kEs256;
        }
        case EVP_PKEY_RSA:
            if (EVP_PKEY_get_bits(key) < kRsaLeastBits || EVP_PKEY_get_bits(key) > kRsaMostBits)
                signing_refuse("the RSA key does not have 2048 to 8192 bits");
            return Algorithm::kRs256;
        case EVP_PKEY_ED25519:
            return Algorithm::kEdDsa;
        default:
            signing_refuse("expected a P-256, RSA or Ed25519 key");
    }
}

std::string signing_number(EVP_PKEY* key, const char* name, int width) {
    BIGNUM* number = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1) fail(Fault::kConfig, "CRYPTO-001", "reading a key's numbers");
    const BigNumber owner(number);
    std::string out(static_cast<std::size_t>(width != 0 ? width : BN_num_bytes(number)), '\0');
    if (BN_bn2binpad(number, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) < 0)
        fail(Fault::kConfig, "CRYPTO-001", "reading a key's numbers");
    return out;
}

std::string signing_raw_public(EVP_PKEY* key) {
    std::string out(32, '\0');
    std::size_t size = out.size();
    if (EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(out.data()), &size) != 1 || size != 32)
        fail(Fault::kConfig, "CRYPTO-001", "reading an Ed25519 key");
    return out;
}

PkeyHandle signing_from_parameters(const char* type, OSSL_PARAM_BLD* builder) {
    const std::unique_ptr<OSSL_PARAM, SignatureFree> parameters(OSSL_PARAM_BLD_to_param(builder));
    const detail::Handle<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
        signing_refuse("its numbers are no " + std::string(type) + " key");
    return PkeyHandle(key);
}

std::string signing_jwk_bytes(const FlatJson& json, std::string_view name) {
    const auto text = json.string(name);
    auto bytes = text ? from_base64url(*text) : std::nullopt;
    if (!bytes || bytes->empty() || bytes->size() > 2048)
        signing_refuse("JWK member '" + std::string(name) + "' is missing or not base64url");
    return *bytes;
}

PkeyHandle signing_ec_from_jwk(const FlatJson& json) {
    if (json.string("crv") != "P-256") signing_refuse("JWK member 'crv' is not P-256");
    const std::string x = signing_jwk_bytes(json, "x");
    const std::string y = signing_jwk_bytes(json, "y");
    if (x.size() != 32 || y.size() != 32) signing_refuse("JWK members 'x' and 'y' do not have 32 bytes");
    const std::string point = "\4" + x + y;
    const std::unique_ptr<OSSL_PARAM_BLD, SignatureFree> builder(OSSL_PARAM_BLD_new());
    if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
        fail(Fault::kConfig, "CRYPTO-001", std::string(kReadingKey));
    return signing_from_parameters("EC", builder.get());
}

PkeyHandle signing_rsa_from_jwk(const FlatJson& json) {
    const std::string n = signing_jwk_bytes(json, "n");
    const std::string e = signing_jwk_bytes(json, "e");
    if (n.size() > kRsaMostBits / 8 || e.size() > 8) signing_refuse("the RSA key does not have 2048 to 8192 bits");
    const auto number = [](const std::string& bytes) {
        return BigNumber(
            BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), nullptr));
    };
    const BigNumber modulus = number(n);
    const BigNumber exponent = number(e);
    const std::unique_ptr<OSSL_PARAM_BLD, SignatureFree> builder(OSSL_PARAM_BLD_new());
    if (!builder || !modulus || !exponent || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1)
        fail(Fault::kConfig, "CRYPTO-001", std::string(kReadingKey));
    return signing_from_parameters("RSA", builder.get());
}

// OpenSSL has DER, JOSE has r and s side by side.
std::string signing_der_to_pair(std::string_view der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, SignatureFree> pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    std::string out(64, '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(out.data());
    if (!pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), bytes, 32) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), bytes + 32, 32) < 0)
        fail(Fault::kConfig, "CRYPTO-001", "signing");
    return out;
}

std::string signing_pair_to_der(std::string_view pair) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(pair.data());
    const std::unique_ptr<ECDSA_SIG, SignatureFree> signature(ECDSA_SIG_new());
    BigNumber r(BN_bin2bn(bytes, 32, nullptr));
    BigNumber s(BN_bin2bn(bytes + 32, 32, nullptr));
    if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return {};
    r.release(), s.release();  // the signature owns them now
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(signature.get(), &der);
    if (size <= 0) return {};
    std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return out;
}

const EVP_MD* signing_digest(Algorithm algorithm) {
    return algorithm == Algorithm::kEdDsa ? nullptr : detail::sha256_algorithm();
}

int signing_no_pass_phrase(char*, int, int, void*) {
    return -1;
}  // never asks on a terminal

}  // namespace

std::string_view to_string(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::kEs256:
            return "ES256";
        case Algorithm::kRs256:
            return "RS256";
        case Algorithm::kEdDsa:
            return "EdDSA";
    }
    return "";
}

std::optional<Algorithm> algorithm_from(std::string_view name) {
    for (const Algorithm algorithm : {Algorithm::kEs256, Algorithm::kRs256, Algorithm::kEdDsa})
        if (to_string(algorithm) == name) return algorithm;
    return std::nullopt;
}

struct PublicKey::Impl {
    PkeyHandle key;
    Algorithm algorithm;

    explicit Impl(PkeyHandle k) : key(std::move(k)), algorithm(signing_algorithm(key.get())) {}
};

PublicKey PublicKey::from_pem(std::string_view pem) {
    const auto bio = detail::memory_bio(pem);
    EVP_PKEY* key = nullptr;
    if (pem.find("-----BEGIN CERTIFICATE-----") != pem.npos) {
        const detail::X509Handle certificate(PEM_read_bio_X509(bio.get(), nullptr, signing_no_pass_phrase, nullptr));
        if (certificate) key = X509_get_pubkey(certificate.get());
    } else {
        key = PEM_read_bio_PUBKEY(bio.get(), nullptr, signing_no_pass_phrase, nullptr);
    }
    if (key == nullptr) signing_refuse("it is neither a PEM public key nor a PEM certificate");
    return PublicKey(std::make_shared<const Impl>(PkeyHandle(key)));
}

PublicKey PublicKey::from_jwk(std::string_view text) {
    const auto json = FlatJson::parse(text);
    if (!json) signing_refuse("a JWK is not a JSON object");
    if (json->find("d") != nullptr) signing_refuse("the JWK holds a private key");
    const auto kty = json->string("kty");
    PkeyHandle key;
    if (kty == "EC") {
        key = signing_ec_from_jwk(*json);
    } else if (kty == "RSA") {
        key = signing_rsa_from_jwk(*json);
    } else if (kty == "OKP" && json->string("crv") == "Ed25519") {
        return from_ed25519(signing_jwk_bytes(*json, "x"));
    } else {
        signing_refuse("JWK member 'kty' is none of EC, RSA, OKP with Ed25519");
    }
    auto impl = std::make_shared<const Impl>(std::move(key));
    if (const auto* alg = json->find("alg"); alg != nullptr && alg->value != to_string(impl->algorithm))
        signing_refuse("JWK member 'alg' does not fit the key");
    if (const auto* use = json->find("use"); use != nullptr && use->value != "sig")
        signing_refuse("JWK member 'use' is not sig");
    return PublicKey(std::move(impl));
}

PublicKey PublicKey::from_ed25519(std::string_view raw) {
    if (raw.size() != 32) signing_refuse("an Ed25519 key does not have 32 bytes");
    PkeyHandle key(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(raw.data()), raw.size()));
    if (!key) signing_refuse("it is no Ed25519 key");
    return PublicKey(std::make_shared<const Impl>(std::move(key)));
}

Algorithm PublicKey::algorithm() const {
    return impl_->algorithm;
}

bool PublicKey::verify(std::string_view bytes, std::string_view signature) const {
    std::string der;
    if (impl_->algorithm == Algorithm::kEs256) {
        if (signature.size() != 64) return false;
        der = signing_pair_to_der(signature);
        signature = der;
    }
    const detail::Handle<EVP_MD_CTX> context(EVP_MD_CTX_new());
    const bool good =
        context &&
        EVP_DigestVerifyInit(context.get(), nullptr, signing_digest(impl_->algorithm), nullptr, impl_->key.get()) == 1 &&
        EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                         reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) == 1;
    if (!good) detail::library_reason();  // leaves no old reason behind for the next call of this thread
    return good;
}

std::string PublicKey::jwk_core() const {
    EVP_PKEY* key = impl_->key.get();
    switch (impl_->algorithm) {
        case Algorithm::kEs256:
            return R"({"crv":"P-256","kty":"EC","x":")" + base64url(signing_number(key, OSSL_PKEY_PARAM_EC_PUB_X, 32)) +
                   R"(","y":")" + base64url(signing_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, 32)) + "\"}";
        case Algorithm::kRs256:
            return R"({"e":")" + base64url(signing_number(key, OSSL_PKEY_PARAM_RSA_E, 0)) + R"(","kty":"RSA","n":")" +
                   base64url(signing_number(key, OSSL_PKEY_PARAM_RSA_N, 0)) + "\"}";
        case Algorithm::kEdDsa:
            return R"({"crv":"Ed25519","kty":"OKP","x":")" + base64url(signing_raw_public(key)) + "\"}";
    }
    return {};
}

std::string PublicKey::thumbprint() const {
    return base64url(sha256(jwk_core()));
}

std::string PublicKey::jwk() const {
    std::string out = jwk_core();
    out.pop_back();
    return out + R"(,"alg":")" + std::string(to_string(impl_->algorithm)) + R"(","kid":")" + thumbprint() + R"(","use":"sig"})";
}

std::string PublicKey::pem() const {
    const detail::BioHandle bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_PUBKEY(bio.get(), impl_->key.get()) != 1)
        fail(Fault::kConfig, "CRYPTO-001", "writing a public key");
    return detail::bio_text(bio.get());
}

std::string PublicKey::ed25519() const {
    if (impl_->algorithm != Algorithm::kEdDsa)
        fail(Fault::kPoison, "CRYPTO-051", std::string(kReadingKey), "it is not an Ed25519 key");
    return signing_raw_public(impl_->key.get());
}

struct SigningKey::Impl {
    PkeyHandle key;
    PublicKey public_key;
    std::string kid;

    static PublicKey public_half(EVP_PKEY* key) {
        const detail::BioHandle bio(BIO_new(BIO_s_mem()));
        if (!bio || PEM_write_bio_PUBKEY(bio.get(), key) != 1) fail(Fault::kConfig, "CRYPTO-001", "writing a public key");
        return PublicKey::from_pem(detail::bio_text(bio.get()));
    }
    explicit Impl(PkeyHandle k) : key(std::move(k)), public_key(public_half(key.get())), kid(public_key.thumbprint()) {}
};

SigningKey SigningKey::generate(Algorithm algorithm) {
    EVP_PKEY* key = nullptr;
    switch (algorithm) {
        case Algorithm::kEs256:
            key = EVP_EC_gen("P-256");
            break;
        case Algorithm::kRs256:
            key = EVP_RSA_gen(2048);
            break;
        case Algorithm::kEdDsa:
            key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
            break;
    }
    if (key == nullptr) fail(Fault::kConfig, "CRYPTO-001", "making a key");
    return SigningKey(std::make_shared<const Impl>(PkeyHandle(key)));
}

SigningKey SigningKey::from_pem(std::string_view pem) {
    const auto bio = detail::memory_bio(pem);
    PkeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, signing_no_pass_phrase, nullptr));
    if (!key) fail(Fault::kConfig, "CRYPTO-052", "reading a signing key", "it is not a PEM private key without a pass phrase");
    return SigningKey(std::make_shared<const Impl>(std::move(key)));
}

SigningKey SigningKey::load(const std::filesystem::path& file) {
    std::string pem = read_secret_file(file);
    try {
        SigningKey out = from_pem(pem);
        OPENSSL_cleanse(pem.data(), pem.size());
        return out;
    } catch (Error& e) {
        OPENSSL_cleanse(pem.data(), pem.size());
        e.file(file.string());
        throw;
    }
}

std::string SigningKey::pem() const {
    const detail::BioHandle bio(BIO_new(BIO_s_secmem()));
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), impl_->key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        fail(Fault::kConfig, "CRYPTO-001", "writing a signing key");
    return detail::bio_text(bio.get());
}

void SigningKey::store(const std::filesystem::path& file) const {
    std::string text = pem();
    write_secret_file(file, text);
    OPENSSL_cleanse(text.data(), text.size());
}

Algorithm SigningKey::algorithm() const {
    return impl_->public_key.algorithm();
}
const PublicKey& SigningKey::public_key() const {
    return impl_->public_key;
}
const std::string& SigningKey::kid() const {
    return impl_->kid;
}

std::string SigningKey::sign(std::string_view bytes) const {
    const detail::Handle<EVP_MD_CTX> context(EVP_MD_CTX_new());
    std::string out(static_cast<std::size_t>(EVP_PKEY_get_size(impl_->key.get())), '\0');
    std::size_t size = out.size();
    if (!context || EVP_DigestSignInit(context.get(), nullptr, signing_digest(algorithm()), nullptr, impl_->key.get()) != 1 ||
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) != 1)
        fail(Fault::kConfig, "CRYPTO-001", "signing");
    out.resize(size);
    return algorithm() == Algorithm::kEs256 ? signing_der_to_pair(out) : out;
}

}  // namespace clrbus::crypto
