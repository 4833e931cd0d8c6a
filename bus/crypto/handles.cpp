#include "crypto/handles.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <climits>

namespace clrbus::crypto::detail {

void HandleFree::operator()(bio_st* p) const {
    BIO_free_all(p);
}
void HandleFree::operator()(bignum_st* p) const {
    BN_clear_free(p);
}
void HandleFree::operator()(evp_cipher_ctx_st* p) const {
    EVP_CIPHER_CTX_free(p);
}
void HandleFree::operator()(evp_mac_ctx_st* p) const {
    EVP_MAC_CTX_free(p);
}
void HandleFree::operator()(evp_md_ctx_st* p) const {
    EVP_MD_CTX_free(p);
}
void HandleFree::operator()(evp_pkey_ctx_st* p) const {
    EVP_PKEY_CTX_free(p);
}
void HandleFree::operator()(evp_pkey_st* p) const {
    EVP_PKEY_free(p);
}
void HandleFree::operator()(x509_st* p) const {
    X509_free(p);
}

const evp_md_st* sha256_algorithm() {
    // Looking an algorithm up costs three times the hash of a short text. Kept until the process ends.
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    if (algorithm == nullptr) fail(Fault::kConfig, "CRYPTO-001", "loading SHA-256");
    return algorithm;
}

std::string library_reason() {
    const unsigned long code = ERR_peek_last_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    std::string text = reason != nullptr ? reason : "the cryptographic library gave no reason";
    ERR_clear_error();
    return text;
}

void fail(Fault fault, std::string_view code, std::string doing) {
    throw Error(fault, code, std::move(doing), library_reason());
}

void fail(Fault fault, std::string_view code, std::string doing, std::string why) {
    ERR_clear_error();
    throw Error(fault, code, std::move(doing), std::move(why));
}

BioHandle memory_bio(std::string_view bytes) {
    if (bytes.size() > INT_MAX) fail(Fault::kPoison, "CRYPTO-003", "reading a key or certificate", "it is larger than 2 GB");
    BioHandle bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
    if (!bio) fail(Fault::kConfig, "CRYPTO-001", "reading a key or certificate");
    return bio;
}

std::string bio_text(bio_st* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace clrbus::crypto::detail
